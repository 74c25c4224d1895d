"""The sections of what stands around the fleet: the content that the core pushes, its database, and rehearsals. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from burstd.model.policy import ContentPolicy, DatabasePolicy
from burstd.settings import values as v
from burstd.settings.section import Section
from burstd.settings.values import Kind, key

_CONTENT = ContentPolicy()
_DATABASE = DatabasePolicy()


class ContentSettings(Section):
    """The core's content on the instances: the core pushes it by lsyncd, one unit for each instance, and burstd keeps the list of them."""

    core: v.OptionalLogin = key(
        None,
        "Login on the core server that has the content, whose forced command keeps the list; none: no mirror.",
        example="mirror@10.0.0.5",
    )
    ssh_port: v.Port = key(22, "Its ssh port.", ge=1, le=v.GREATEST_PORT)
    identity: v.Anchored = key(Path("/etc/burstd/mirror.key"), "Private key with which burstd logs in there.")
    known_hosts: v.Anchored = key(Path("/etc/burstd/known_hosts"), "File with that core server's host key: another key is refused.")
    root: v.Absolute = key("/var/www/html", "Folder of the content, on the core and on the instances.")
    user: v.UserName = key("mirror", "User on the instances to whom the content belongs; nobody else's key may write it.")
    token_path: v.CheckPath = key(_CONTENT.token_path, "Where the content token lies under the folder, and is asked for over HTTP.")
    interval: v.Seconds = key(10.0, "Between two tokens, each sent with the whole list of targets.", gt=0)
    deadline: v.Seconds = key(10.0, "For one exchange with the core server.", gt=0)
    push_key: v.OptionalPublicKey = key(
        None,
        "Public key with which the core pushes, for `burstd render` alone.",
        example="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO1M9K7wUz9nn0CmFXv9UO1Y7lYrPqgBwCqT2G8Dqxkf mirror@core-oslo-01",
    )
    push_from: v.Sources = key(
        (), "Addresses or networks from which its pushes come, as the instances see them; empty: the address in core.", example=["10.0.0.5"]
    )
    delay: v.Seconds = key(1.0, "How long lsyncd collects changes before it sends them.", gt=0)
    max_drift: v.Seconds = key(_CONTENT.max_drift, "An instance whose content is older than this behind the core's is drained.", gt=0)
    max_delete: v.Ratio = key(
        0.25, "A minute in which more than this part of the files is deleted holds the mirror until somebody has looked.", gt=0, le=1
    )


class DatabaseSettings(Section):
    """The database of the core and its replica elsewhere: watched, and promoted on order or, where that is allowed, by itself."""

    primary: v.OptionalAddress = key(None, "Address of the primary; none: no database is watched.", example="10.0.0.5")
    replica: v.OptionalAddress = key(None, "Address of the replica.", example="10.1.0.5")
    port: v.Port = key(3306, "Port of both.", ge=1, le=v.GREATEST_PORT)
    user: v.Text = key("burstd", "User of burstd on both.")
    password_file: v.SecretFile = key(
        None, "File with that user's password; never shown.", example="/run/credentials/burstd.service/database"
    )
    ca_file: v.OptionalAnchored = key(
        None, "Certificates of those who may sign the servers'; none: no TLS.", example="/etc/burstd/database-ca.pem"
    )
    interval: v.Seconds = key(5.0, "Between two looks at both.", gt=0)
    deadline: v.Seconds = key(2.0, "For one look at one of them.", gt=0)
    max_lag: v.Seconds = key(_DATABASE.max_lag, "A replica that is further behind is told of, and is not promoted by itself.", gt=0)
    semi_sync: bool = key(default=False, meaning="The primary waits for the replica at every commit, for `burstd render mysql` alone.")
    listener: v.HaproxyName = key("mysql", "The TCP listener in HAProxy by which everybody reaches the primary.")
    listen: v.Listen = key("127.0.0.1:3306", "Where it listens, for `burstd render haproxy` alone.")
    auto_promote: bool = key(
        default=_DATABASE.auto_promote, meaning="Promote without being told to once the core is lost for core_lost_for."
    )
    core_lost_for: v.Seconds = key(_DATABASE.core_lost_for, "How long the core and the primary must be lost for that.", gt=0)
    fence_command: Annotated[tuple[v.Text, ...], Kind("a list of words, the program first")] = key(
        (),
        "Program that makes sure that the primary takes no more writes, such as its power switch; exit code 0: it does not.",
        example=["/usr/local/sbin/fence", "db-oslo-01"],
    )


class DrillSettings(Section):
    """Rehearsals of one instance from its create to its end, without traffic: `burstd drill burst`."""

    cron: v.OptionalCron = key(None, "When one starts by itself, in five fields; none: only when it is ordered.", example="0 5 * * 1")
    zone: v.Zone = key("UTC", "Time zone of cron.", example="Europe/Oslo")
