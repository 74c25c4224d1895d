"""What `burstd check` asks of HAProxy: everything that would fail later, found at once, with nothing changed.

The only trace is a line in HAProxy's log: it is asked to add a server without an address, which it refuses with words that tell
whether it would have let us. That is the one way to learn both the socket's level and whether the backend takes servers.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from burstd.adapters.haproxy.answers import OLDEST, SAFE_REMOVAL, Version, parse_backends, parse_info, parse_stat
from burstd.adapters.haproxy.commands import Commands, first_line
from burstd.adapters.haproxy.configuration import has_option, stats_timeout
from burstd.adapters.haproxy.problems import Problems
from burstd.adapters.haproxy.runtime import Conversation, converse
from burstd.errors import Misconfigured


def probe(
    commands: Commands, seconds: float, backends: Mapping[str, Sequence[str]], config_file: Path | None, joined: Collection[str]
) -> tuple[str, ...]:
    """Every problem that an operator must mend, a line each; empty where there is none.

    Args:
        commands: the wording.
        seconds: wall-clock deadline of the exchange.
        backends: by name, the static servers that each must have.
        config_file: HAProxy's configuration, where it may be read.
        joined: those that must take servers at run time.

    Raises:
        Retry: HAProxy is down or does not answer.
    """
    problems = commands.problems
    version = None
    found = list(_file_system(problems))
    if not found:
        try:
            with converse(problems.socket, seconds) as talk:
                version = parse_info(talk.ask("show info")[0]).version
                if version < OLDEST:
                    found.append(problems.too_old(version))
                else:
                    for name, expected in backends.items():
                        found += _backend(talk, commands, name, expected, takes_servers=name in joined)
        except Misconfigured as problem:
            found.append(str(problem))
    if config_file is not None:
        found += _configuration(problems, config_file, backends, version, seconds)
    return tuple(found)


def _file_system(problems: Problems) -> Iterator[str]:
    try:
        if not stat.S_ISSOCK(problems.socket.stat().st_mode):
            yield problems.no_socket()
    except PermissionError:
        yield problems.forbidden()
    except OSError:
        yield problems.absent()


def _backend(talk: Conversation, commands: Commands, backend: str, expected: Sequence[str], *, takes_servers: bool) -> Iterator[str]:
    problems = commands.problems.of(backend)
    names, refused, table = talk.ask("show backend", f"add server {backend}/burstd-check", f"show stat {backend} 6 -1")
    if backend not in parse_backends(names):
        yield problems.no_backend()
        return
    setup_problem = commands.unfit(refused, backend)
    if not takes_servers:
        pass
    elif setup_problem is not None:
        yield setup_problem
    elif "expects <name> and <addr>" not in refused:
        yield problems.no_dynamic_servers(first_line(refused))
    view = parse_stat(table, backend)
    if view is None:
        yield problems.hidden_backend()
        return
    present = {server.name for server in view.servers}
    yield from (problems.no_core(name) for name in expected if name not in present)


def _configuration(
    problems: Problems, config_file: Path, backends: Collection[str], version: Version | None, deadline: float
) -> Iterator[str]:
    try:
        text = config_file.read_text(errors="replace")
    except OSError as error:
        yield problems.unreadable(config_file, error.strerror or "cannot be read")
        return
    silence = stats_timeout(text)
    if silence is not None and silence < deadline:
        yield problems.short_timeout(config_file, silence, deadline)
    for name in backends:
        redispatching = has_option(text, name, "redispatch")
        if redispatching is None:
            yield problems.of(name).elsewhere(config_file)
        elif not redispatching and version is not None and version < SAFE_REMOVAL:
            yield problems.of(name).no_redispatch(config_file)
