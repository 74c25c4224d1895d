"""What `burstd check` says of the content's mirror: ssh and its key here, the core's host key, and the program with all it needs there.

It changes nothing, neither here nor there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from burstd.adapters.lsyncd import Core, mirror_program, new_host_key
from burstd.errors import AskOperator, Retry
from burstd.settings import Settings
from burstd.wiring import core_of, keyless


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing that was seen.

    Attributes:
        bad: somebody must mend it.
        down: it is bad because a peer is down.
    """

    text: str
    bad: bool = False
    down: bool = False


def look_at_mirror(settings: Settings) -> Iterator[Sight]:
    """Everything about it, what is in order too; nothing where there is no mirror."""
    core = core_of(settings)
    if core is None:
        return
    here = [*keyless(settings), *_here(core)]
    yield from (Sight(problem, bad=True) for problem in here)
    key = f"content.core {core.login}"
    try:
        told = core.look()
    except AskOperator as error:
        yield Sight(f"{key}: {_without_login(core, error)}", bad=True)
        return
    except Retry as error:
        yield Sight(f"{key}: {_without_login(core, error)}", bad=True, down=True)
        return
    problems = [str(each) for each in told.get("problems", ())]
    if told.get("program") != sha256(mirror_program().encode()).hexdigest():
        problems.append("its burstd-mirror is not the one of this burstd; install it anew (burstd render lsyncd)")
    yield from (Sight(f"{key}: {problem}", bad=True) for problem in problems)
    if held := told.get("held"):
        yield Sight(f"{key}: the mirror is held: {held['reason']}; look at the content, then burstd content release", bad=True)
    if not problems:
        versions = ", ".join(f"{name} {version}" for name, version in told.get("versions", {}).items())
        yield Sight(f"{key}: burstd-mirror answers there ({versions})")


def _here(core: Core) -> Iterator[str]:
    """What is wrong on the gateway."""
    for key, file in (("content.identity", core.identity), ("content.known_hosts", core.known_hosts)):
        if not os.access(file, os.R_OK):
            yield f"{key} {file}: expected a file that burstd's user can read; docs/content.md says how to make it"
        elif key == "content.identity" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"{key} {file}: expected a file that nobody but its owner can read, or ssh refuses it; chmod 600 {file}"
    try:
        new_host_key()
    except AskOperator as error:
        yield str(error)


def _without_login(core: Core, error: Exception) -> str:
    return str(error).removeprefix(core.login).lstrip(": ")
