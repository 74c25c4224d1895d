"""Where the lab keeps things, what it records of itself, and how its own programs are started and ended.

Records are written before what they record is made: from a kill at any instant `down` finds everything. A process is recorded with its
start time, so that a pid that somebody else has by now is left alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.lab import cgroups
from tests.lab.hosts import Host
from tests.waiting import wait_until

ROOT: Final = Path(__file__).parents[2]
"""The checkout."""

STATE: Final = Path("/run/burstd-lab")
"""What is running. There is one lab on a machine: names of namespaces and control groups are fixed."""

CONTROL: Final = STATE / "wan.sock"
KEYS: Final = STATE / "keys"
LXCFS: Final = STATE / "lxcfs"
LOGS: Final = STATE / "logs"
RECORDS: Final = STATE / "hosts"
NAMESPACES: Final = Path("/run/netns")


def cache() -> Path:
    """What outlives the lab: the root file system; and the hosts' layers, which do not."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "burstd-lab" if home else ROOT / ".cache/lab"


def layers(name: str) -> Path:
    """The folder of a host's overlay: `upper`, `work`, `root`."""
    return cache() / "hosts" / name


def namespace(name: str) -> str:
    """The name of a host's network namespace."""
    return f"burstd-lab-{name}"


class Failed(Exception):
    """A program did not succeed; the message says which, and what it said last."""


@contextmanager
def locked() -> Iterator[None]:
    """Alone among the lab's verbs; waits for the one before."""
    with STATE.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def record(host: Host) -> None:
    """Before anything of the host is made."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    (RECORDS / f"{host.name}.json").write_text(json.dumps(asdict(host)))


def recorded() -> list[Host]:
    """Every host on record, whatever state it is in."""
    found = []
    for file in sorted(RECORDS.glob("*.json")):
        with suppress(ValueError, TypeError):
            fields = json.loads(file.read_text())
            found.append(Host(**{**fields, "units": tuple(fields["units"])}))
    return found


def forget(name: str) -> None:
    """After everything of the host is gone."""
    (RECORDS / f"{name}.json").unlink(missing_ok=True)


def started(pid: int) -> str | None:
    """When the process began, in the kernel's ticks: with the pid it is the process and no other. None: there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def note(name: str, pid: int) -> None:
    """Record a process of the lab's."""
    (STATE / f"{name}.pid").write_text(f"{pid} {started(pid)}")


def noted(name: str) -> int | None:
    """The recorded process, if it is still that one."""
    try:
        pid, start = (STATE / f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if started(int(pid)) == start else None


def spawn(name: str, words: Sequence[str], *, cpus: float | None = None, env: Mapping[str, str] | None = None) -> int:
    """Start a program in control groups of its own, in a session of its own, and record it; its pid.

    It survives whoever called this. What it says goes to a log in the state folder.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    files = cgroups.make(name, cpus)
    told = STATE / f"{name}.started"
    told.unlink(missing_ok=True)
    enter = 'for group in $LAB_GROUPS; do echo $$ > $group || exit 70; done; echo $$ > $LAB_TOLD; unset LAB_GROUPS LAB_TOLD; exec "$@"'
    with (LOGS / f"{name}.log").open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", "sh", "-c", enter, name, *words],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, **(env or {}), "LAB_GROUPS": " ".join(map(str, files)), "LAB_TOLD": str(told)},
        )
    pid = int(wait_until(lambda: told.exists() and told.read_text().strip(), f"{name} has begun; see {LOGS / name}.log"))
    told.unlink()
    note(name, pid)
    return pid


def kept_logs() -> Path:
    """Copy the logs to where `down` does not reach; the folder."""
    kept = cache() / "logs-of-a-failed-start"
    shutil.rmtree(kept, ignore_errors=True)
    if LOGS.is_dir():
        shutil.copytree(LOGS, kept)
    return kept


def end(name: str) -> None:
    """End what `spawn` started under this name, and whatever it left in its control groups."""
    cgroups.kill(name)
    wait_until(lambda: not cgroups.members(name), f"nothing of {name} is left")
    cgroups.drop(name)
    (STATE / f"{name}.pid").unlink(missing_ok=True)


def run(words: Sequence[str], **options: Any) -> str:
    """Run a program to its end; what it printed.

    Raises:
        Failed: it did not succeed, with its last words; or it did not end in time, where `timeout` is one of the options.
    """
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(words, check=False, capture_output=True, text=True, **options)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(words)[:200]}: did not end within {error.timeout:g} s") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-3:]
        raise Failed(f"{' '.join(words)[:200]}: exit code {done.returncode}: {' / '.join(last)}")
    return done.stdout


def say(text: str) -> None:
    """One line for who watches."""
    sys.stderr.write(f"lab: {text}\n")
    sys.stderr.flush()
