"""What the core server needs to push its content: lsyncd's configuration, its unit, and the lines that admit burstd and the core.

One lsyncd for each instance, run by systemd as a user without privileges, so that a dark target, one that joins or one that is held never
touches the others. Text only: nothing is written and nothing is asked here.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from burstd.errors import InvalidSettings
from burstd.render.document import Document

HELD: Final = 25
"""Exit status of an lsyncd that stopped because more would have been deleted than it may: rsync's own code for that (rsync(1))."""

PROGRAM: Final = "/usr/local/bin/burstd-mirror"
"""The core's end of burstd's connection: it keeps the list of targets, writes the token, and answers with what each target is at."""

CONFIG: Final = "/etc/burstd/lsyncd.lua"
"""Of every lsyncd on the core; what differs comes by the environment."""

UNIT: Final = "lsyncd@.service"

STATE: Final = "%h/.local/state/burstd-mirror"
"""Where the unit has it; as the program has it, which writes `known_hosts` and `TARGET.env` there."""

IDENTITY: Final = "%h/.ssh/burstd_push"

ROOT: Final = re.compile(r"(/[A-Za-z0-9_.-]+)+", re.ASCII)
KEY: Final = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [^\"\\\x00-\x1f\x7f]+)?", re.ASCII)
"""A public key as ssh-keygen writes it: kind, content, and a comment."""


@dataclass(frozen=True, slots=True)
class MirrorConfig:
    """What differs from one core to the next.

    Attributes:
        login: USER@HOST, by which burstd reaches the core; that user pushes.
        root: the content's folder, on the core and on the instances.
        user: to whom it belongs on the instances.
        token_path: where the token lies under the root.
        delay: seconds for which changes are collected.
        max_delete: the part of the files that may be deleted in a minute, above 0, at most 1.
        burstd_key: burstd's public key, which the core admits; empty where only the instances' side is wanted.
        push_key: the core's public key, which the instances admit.
        push_from: addresses or networks from which the core's pushes come, as instances see them.
    """

    login: str
    root: str
    user: str
    token_path: str
    delay: float
    max_delete: float
    burstd_key: str
    push_key: str
    push_from: tuple[str, ...]


def render(config: MirrorConfig) -> tuple[Document, ...]:
    """All of it but the program, which is code and comes from its own place.

    Raises:
        InvalidSettings: the folder is no plain path, or a key is none.
    """
    user, _, host = config.login.partition("@")
    instance = admits_core(config)
    return (
        Document("lsyncd.lua", f"{host}: {CONFIG}", lua(config)),
        Document(UNIT, f"{host}: /etc/systemd/user/{UNIT}", unit()),
        Document("authorized_keys.core", f"{host}: ~{user}/.ssh/authorized_keys", admits_burstd(config)),
        Document("authorized_keys.instance", f"every instance: ~{config.user}/.ssh/authorized_keys (cloud-init puts it there)", instance),
    )


def admits_burstd(config: MirrorConfig) -> str:
    """The line that admits burstd on the core: to the one program, whatever it asks for.

    Raises:
        InvalidSettings: the key is none, or the folder is no plain path.
    """
    words = (PROGRAM, "--root", _root(config), "--token", config.token_path, "--max-delete", f"{config.max_delete:g}")
    return _admitted(f'command="{_quoted(shlex.join(words))}"', config.burstd_key)


def admits_core(config: MirrorConfig) -> str:
    """The line that admits the core on an instance: to write into the content's folder, from its own addresses, and nothing else.

    Raises:
        InvalidSettings: the key is none, or the folder is no plain path.
    """
    sources = ",".join(config.push_from)
    return _admitted(f'from="{sources}",command="/usr/bin/rrsync -wo {_root(config)}"', config.push_key)


def pushed_from(login: str) -> str | None:
    """The address in a login USER@HOST, None where its host is a name: sshd compares addresses."""
    try:
        return str(ip_address(login.partition("@")[2]))
    except ValueError:
        return None


def lua(config: MirrorConfig) -> str:
    """The configuration of every lsyncd, for lsyncd 2.2.3.

    Raises:
        InvalidSettings: the folder is no plain path.
    """
    return _LUA.format(root=_root(config), user=config.user, delay=f"{config.delay:g}", held=HELD)


def unit() -> str:
    """The template unit of systemd's user manager, %i the target's address.

    A user manager without privileges cannot set up namespaces everywhere, so the unit asks only for what a process may give up by itself.
    """
    return _UNIT.format(state=STATE, identity=IDENTITY, config=CONFIG, held=HELD)


def _root(config: MirrorConfig) -> str:
    if not ROOT.fullmatch(config.root):
        raise InvalidSettings(
            [f"content.root {config.root!r}: expected an absolute path of letters, digits, dash, underscore, dot and slash"]
        )
    return config.root


def _admitted(options: str, key: str) -> str:
    if not KEY.fullmatch(key):
        raise InvalidSettings([f"public key {key!r}: expected one line as ssh-keygen writes it into a .pub file"])
    return f"restrict,{options} {key}\n"


def _quoted(command: str) -> str:
    """For a quoted option of authorized_keys(5), where only the quote itself is escaped (sshd(8))."""
    return command.replace('"', '\\"')


_LUA: Final = """\
-- One lsyncd pushes the content to one instance. Its unit says which one, and the list of them is burstd's.

local function given(name, pattern, default)
    local value = os.getenv(name) or default
    if value == nil or not value:find("^" .. pattern .. "$") then
        error(name .. " in the environment: expected " .. pattern .. ", found " .. tostring(value))
    end
    return value
end

local target = given("TARGET", "[%x:.]+") -- an address, never a name: the host key is known by it
local port = given("PORT", "%d+", "22")
local max_delete = given("MAX_DELETE", "%d+") -- files; of one transfer
local state = given("STATE", "/[%w/._-]+") -- known_hosts, log and status are there
local control = given("CONTROL", "/[%w/._-]+") -- short: a unix socket's path has at most 107 bytes
local identity = given("IDENTITY", "/[%w/._-]+")

local ssh = {{
    "/usr/bin/ssh -F none",
    "-p " .. port,
    "-i " .. identity .. " -o IdentitiesOnly=yes -o BatchMode=yes",
    -- The one key that burstd gave this instance at its launch, or none.
    "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=" .. state .. "/known_hosts -o GlobalKnownHostsFile=none",
    -- A line that is cut, not closed, is noticed after 15 seconds, and the transfer is tried again.
    "-o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3",
    -- One connection for all transfers: a second less each over a long line.
    "-o ControlMaster=auto -o ControlPersist=60 -o ControlPath=" .. control .. "/%C",
}}

settings {{
    logfile = state .. "/" .. target .. ".log",
    statusFile = state .. "/" .. target .. ".status",
    statusInterval = 1,
    nodaemon = true,
    insist = true, -- a target that is dark at the start is tried again
}}

sync {{
    default.rsync,
    source = "{root}",
    target = "{user}@" .. (target:find(":") and "[" .. target .. "]" or target) .. ":/", -- rrsync's / is its own folder
    delay = {delay},
    collect = function(agent, exitcode)
        if exitcode == {held} then
            log("Error", "held at the --max-delete limit of " .. max_delete .. ": nothing more is sent until somebody has looked")
            terminate({held})
        end
        return default.collect(agent, exitcode)
    end,
    rsync = {{
        archive = true,
        compress = true,
        protect_args = false, -- rrsync refuses it
        timeout = 60,
        rsh = table.concat(ssh, " "),
        _extra = {{ "--max-delete=" .. max_delete }},
    }},
}}
"""

_UNIT: Final = """\
# Pushes the content to the instance with the address %i. burstd starts and stops it; it runs in the user manager of whom the content
# belongs to, which needs `loginctl enable-linger USER`. Each watches every folder: fs.inotify.max_user_instances must allow as many as
# there are instances, and max_user_watches as many as there are folders, times the instances.

[Unit]
Description=Mirror of the content to %i
Documentation=man:lsyncd(1)
# A crash is mended however often it comes.
StartLimitIntervalSec=0

[Service]
Type=exec
Environment=TARGET=%i
Environment=STATE={state}
Environment=CONTROL=%t/burstd-mirror
Environment=IDENTITY={identity}
# MAX_DELETE, by what the folder holds, and PORT where it is not 22.
EnvironmentFile=-{state}/%i.env
# Each run has a log of its own: what an earlier one has said of its first run proves nothing of this one's.
ExecStartPre=/bin/rm -f {state}/%i.log
ExecStart=/usr/bin/lsyncd {config}
# The log file has it; what rsync and ssh say comes by standard error.
StandardOutput=null
StandardError=append:{state}/%i.err
Restart=on-failure
RestartSec=5
# {held}: it stopped at the limit of deletions. A restart would delete as many again.
RestartPreventExitStatus={held}
RuntimeDirectory=burstd-mirror
RuntimeDirectoryMode=0700
# The folder is that of every instance's unit.
RuntimeDirectoryPreserve=yes
UMask=0077

NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""
