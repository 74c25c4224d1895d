"""`burstd render`: the configuration files of the neighbours, made from the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from burstd.cli.options import config_option, examples, json_option, settings_of
from burstd.errors import AskOperator

if TYPE_CHECKING:
    from burstd.model.policy import Mode
    from burstd.render.document import Document
    from burstd.render.mysql import MySQLConfig
    from burstd.settings import Settings

MODES: Final = ("weighted", "spillover")
"""As burstd.model.policy has them; repeated, so that the help needs no import."""

ROLES: Final = ("primary", "replica")
DIALECTS: Final = ("mariadb", "mysql")
"""As burstd.model.replication and burstd.model.gtid have them, for the same reason."""
WEBS: Final = ("nginx", "apache2", "lighttpd")
"""As burstd.render.cloud_init has them."""


class Memory(click.ParamType[int]):
    """A size such as 4G or 512M, in bytes."""

    name = "size"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Its bytes; a usage error where it is no size."""
        number, unit = value[:-1], value[-1:].upper()
        if not (number.isascii() and number.isdigit() and unit in _UNITS):
            self.fail(f"{value!r}: expected a whole number with M, G or T behind it, such as 4G", param, ctx)
        return int(number) << _UNITS[unit]


_UNITS: Final = {"M": 20, "G": 30, "T": 40}

_force_option: Final = click.option("--force", is_flag=True, help="Write over what exists.")
_file_option: Final = click.option("--output", metavar="FILE", help="Write it there instead of to standard output.")
_folder_option: Final = click.option("--output", metavar="FOLDER", help="Write them there instead of to standard output.")


@click.group(
    epilog=examples(
        "burstd render haproxy                                   look at it",
        "burstd render haproxy --output haproxy.cfg              and write it",
        "burstd render lsyncd --output mirror                    several files, into a folder",
    )
)
def render() -> None:
    """Print a neighbour's configuration files, made from the settings.

    Nothing is installed and nothing is reloaded; what to do next is said on standard error. What the settings lack is said, a line for
    each key. Each of them takes --json, and has a --help of its own.
    """


@render.command(epilog=examples("burstd render haproxy --mode spillover --output haproxy.cfg --force"))
@click.option("--mode", type=click.Choice(MODES), help="How traffic comes to the instances.  [default: haproxy.mode]")
@_file_option
@_force_option
@config_option
@json_option
def haproxy(mode: str | None, output: str | None, config: str, *, force: bool, as_json: bool) -> None:
    """Make the gateway's whole haproxy.cfg, for HAProxy 2.6 and later.

    It has the core servers of [[core]], the backends of [haproxy], and the rest of [render]. In weighted mode burst servers join the core's
    backend and weights share the requests. In spillover mode they join an overflow backend, to which HAProxy itself sends what the core has
    no room for; each core server then needs its maxconn. With [database] it has the listener that leads to the primary, too.
    """
    from burstd.model.policy import Mode
    from burstd.render.haproxy import render as rendered
    from burstd.settings.rendering import haproxy_config

    settings = settings_of(config)
    chosen = Mode(mode or settings.haproxy.mode)
    text = rendered(haproxy_config(settings, chosen))
    steps = _haproxy_steps(settings, chosen, config, output)
    _deliver_one(text, f"{chosen} mode", output, steps, {"mode": str(chosen)} if as_json else None, force=force)


@render.command(epilog=examples("burstd render lsyncd --output mirror"))
@_folder_option
@_force_option
@config_option
@json_option
def lsyncd(output: str | None, config: str, *, force: bool, as_json: bool) -> None:
    """Make what the core server needs to push its content to the instances.

    That is lsyncd's configuration, its template unit for systemd's user manager, the program that keeps the list of targets there, and the
    two lines of authorized_keys: by one burstd is admitted on the core, by the other the core on an instance. The public half of
    content.identity is read from the file beside it whose name ends in .pub.
    """
    from burstd.adapters.lsyncd import mirror_program
    from burstd.render.document import Document
    from burstd.render.lsyncd import PROGRAM
    from burstd.render.lsyncd import render as rendered
    from burstd.settings.rendering import mirror_config

    settings = settings_of(config)
    wanted = mirror_config(settings, _public_half(settings.content.identity))
    program = Document(Path(PROGRAM).name, f"{wanted.login.partition('@')[2]}: {PROGRAM}", mirror_program())
    _deliver((*rendered(wanted), program), output, _lsyncd_steps(settings, output), force=force, as_json=as_json)


@render.command(epilog=examples("burstd render mysql --role primary --memory 4G --output 90-burstd.cnf"))
@click.option("--role", type=click.Choice(ROLES), required=True, help="Which of the two servers it is for.")
@click.option("--memory", metavar="SIZE", type=Memory(), required=True, help="What the database has for itself, such as 4G or 512M.")
@click.option("--dialect", type=click.Choice(DIALECTS), default=DIALECTS[0], show_default=True, help="Whose words the server speaks.")
@_file_option
@_force_option
@config_option
@json_option
def mysql(  # noqa: PLR0913 - options
    role: str, memory: int, dialect: str, output: str | None, config: str, *, force: bool, as_json: bool
) -> None:
    """Make the options of a database server, the primary or the replica of [database].

    Three quarters of the memory are the buffer pool's. The rest is the article's figures for SSDs, replication by GTID, and what makes both
    servers safe against a crash. With database.semi_sync the primary waits for the replica at every commit; the price is written beside it.
    """
    from burstd.model.gtid import Dialect
    from burstd.model.replication import Server
    from burstd.render.mysql import render as rendered
    from burstd.settings.rendering import mysql_config

    chosen = mysql_config(settings_of(config), Server(role), Dialect(dialect), memory)
    described = {"role": role, "dialect": dialect} if as_json else None
    _deliver_one(rendered(chosen), f"{role}, {dialect}", output, _mysql_steps(chosen, output), described, force=force)


@render.command("cloud-init", epilog=examples("burstd render cloud-init --web nginx --output cloud-init.yaml.j2"))
@click.option("--web", type=click.Choice(WEBS), default=WEBS[0], show_default=True, help="The instances' web server, a Debian package.")
@_file_option
@_force_option
@config_option
@json_option
def cloud_init(web: str, output: str | None, config: str, *, force: bool, as_json: bool) -> None:
    """Make the user-data of a pool's instances, a template that burstd fills in at each launch.

    An instance gets the web server with the check path and node_exporter; and where content.core is set, the ssh host key that the core
    knows it by, and the user who takes the core's pushes. Name the file in the pool's user_data, with .j2 at its end.
    """
    from burstd.render.cloud_init import Web
    from burstd.render.cloud_init import render as rendered
    from burstd.settings.rendering import cloud_init_config

    text = rendered(cloud_init_config(settings_of(config), Web(web)))
    _deliver_one(text, web, output, _cloud_init_steps(web, config, output), {"web": web} if as_json else None, force=force)


def _deliver_one(  # noqa: PLR0913 - what is said of a file
    text: str, what: str, output: str | None, steps: list[str], described: dict[str, str] | None, *, force: bool
) -> None:
    """Print or write one file, and say what to do next; `described`: as JSON, with these keys in front."""
    if output is not None:
        _write(Path(output), text, force=force)
    if described is not None:
        click.echo(json.dumps({**described, "file": output, "text": text, "next": steps}, indent=2))
        return
    click.echo(text, nl=False) if output is None else click.echo(f"{output}: written, {what}")
    _say(steps)


def _deliver(documents: Sequence[Document], output: str | None, steps: list[str], *, force: bool, as_json: bool) -> None:
    """Print several files, each under a heading, or write them into a folder, and say what to do next."""
    files = {each.name: str(Path(output, each.name)) if output else None for each in documents}
    if output is not None:
        _make(Path(output), [Path(output, each.name) for each in documents], force=force)
        for each in documents:
            _write(Path(output, each.name), each.text, force=force)
    if as_json:
        told = [{"name": each.name, "place": each.place, "file": files[each.name], "text": each.text} for each in documents]
        click.echo(json.dumps({"files": told, "next": steps}, indent=2))
        return
    for number, each in enumerate(documents):
        if output is None:
            click.echo(f"{chr(10) * bool(number)}==> {each.place} <==\n{each.text}", nl=False)
        else:
            click.echo(f"{files[each.name]}: written, for {each.place}")
    _say(steps)


def _say(steps: Iterable[str]) -> None:
    for step in steps:
        click.echo(f"next: {step}", err=True)


def _make(folder: Path, files: Iterable[Path], *, force: bool) -> None:
    """The folder; refused before the first file is written, where one of them exists."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AskOperator(f"--output {folder}: expected a folder that can be made, the system says: {error.strerror}") from error
    for file in files:
        if file.exists() and not force:
            raise _exists(file)


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise AskOperator(f"--output {file}: expected a file that can be written, the system says: {error.strerror}") from error


def _exists(file: Path) -> AskOperator:
    return AskOperator(f"--output {file}: expected no such file, it exists; name another one, or say --force to write over it")


def _public_half(identity: Path) -> str:
    """The line of the public key beside a private one."""
    file = identity.with_name(f"{identity.name}.pub")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        line = (
            f"content.identity {identity}: expected its public half in {file}, the system says: {said}; "
            f"make both with: ssh-keygen -t ed25519 -N '' -f {identity}"
        )
        raise AskOperator(line) from error


def _haproxy_steps(settings: Settings, mode: Mode, config: str, output: str | None) -> list[str]:
    """What an operator does with the file, in order."""
    file = output or "haproxy.cfg"
    steps = [] if output else [f"burstd render haproxy --mode {mode} --output {file}"]
    steps.append(f"haproxy -c -f {file}")
    steps.append(f"install -m 644 {file} /etc/haproxy/haproxy.cfg && systemctl reload haproxy")
    if mode != settings.haproxy.mode:
        steps.append(
            f'set mode = "{mode}" under [haproxy] in {config}, and restart burstd: the instances must join where HAProxy expects them'
        )
    steps.append("burstd check")
    return steps


def _lsyncd_steps(settings: Settings, output: str | None) -> list[str]:
    """The same for the files of the mirror."""
    user, _, host = (settings.content.core or "").partition("@")
    steps = [] if output else ["burstd render lsyncd --output mirror"]
    folder = output or "mirror"
    token_folder = (settings.content.root + settings.content.token_path).rpartition("/")[0]
    return [
        *steps,
        f"copy {folder} to {host}, and there as root: apt-get install lsyncd rsync openssh-client",
        f"adduser --system --shell /bin/sh --home /home/{user} {user} && loginctl enable-linger {user}",
        "install -D -m 644 lsyncd.lua /etc/burstd/lsyncd.lua && install -m 644 lsyncd@.service /etc/systemd/user/lsyncd@.service",
        f"install -m 755 burstd-mirror /usr/local/bin/burstd-mirror && install -d -o {user} {token_folder}",
        f"put the line of authorized_keys.core into ~{user}/.ssh/authorized_keys; {user} must be able to read {settings.content.root}",
        "burstd check",
    ]


def _cloud_init_steps(web: str, config: str, output: str | None) -> list[str]:
    """The same for the user-data."""
    file = output or "cloud-init.yaml.j2"
    steps = [] if output else [f"burstd render cloud-init --web {web} --output {file}"]
    named = file if file.endswith(".j2") else f"{file}.j2"
    return [
        *steps,
        f"install -m 640 -g burstd {file} /etc/burstd/{Path(named).name}",
        f'write user_data = "/etc/burstd/{Path(named).name}" under [[pool]] in {config}',
        "burstd check",
    ]


def _mysql_steps(config: MySQLConfig, output: str | None) -> list[str]:
    """The same for a database server's options."""
    service = str(config.dialect)
    role, replica = str(config.role), str(config.role) == "replica"
    file = output or "90-burstd.cnf"
    steps = [] if output else [f"burstd render mysql --role {role} --memory {config.memory >> 20}M --dialect {service} --output {file}"]
    steps.append(f"copy {file} to {config.address}, and there as root: {service}d --defaults-file={file} --user=mysql --help --verbose")
    steps.append(f"install -m 644 {file} /etc/mysql/{service}.conf.d/90-burstd.cnf && systemctl restart {service}")
    if replica:
        steps.append("seed it from the primary, and let it follow: `burstd db rejoin` prints the commands")
    else:
        steps.append(
            "make a user for the replica there: CREATE USER repl@'...' IDENTIFIED BY '...'; GRANT REPLICATION SLAVE ON *.* TO repl@'...'"
        )
    return [*steps, "burstd check"]
