"""A stand-in for `systemctl --user` where no systemd runs: it starts what a real unit file says, and ends it by pid.

As the program `systemctl` it reads UNITS/lsyncd@.service (Environment=, EnvironmentFile=, ExecStartPre=, ExecStart=, StandardError=append:,
Restart=, RestartSec=, RestartPreventExitStatus=), and keeps a supervising process for each unit, whose state lies in RUNS. systemd itself
is proved in the lab.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

HERE = Path(sys.argv[0]).parent
UNITS, RUNS = HERE / "units", HERE / "runs"


def rest(seconds: float) -> None:
    """Between two looks, and before a restart."""
    threading.Event().wait(seconds)


def expanded(text: str, instance: str) -> str:
    specifiers = {"i": instance, "h": os.environ["HOME"], "t": os.environ["XDG_RUNTIME_DIR"], "%": "%"}
    return re.sub(r"%(.)", lambda found: specifiers[found[1]], text)


def settings(instance: str) -> Iterator[tuple[str, str]]:
    for line in (UNITS / "lsyncd@.service").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name, expanded(value, instance)


def save(unit: str, **state: object) -> None:
    new = RUNS / f".{unit}.new"
    new.write_text(json.dumps(state))
    new.replace(RUNS / unit)


def read(unit: str) -> dict[str, object]:
    state: dict[str, object] = json.loads((RUNS / unit).read_text())
    return state


def supervise(unit: str) -> None:
    """The life of one unit, until SIGTERM."""
    instance = unit.removeprefix("lsyncd@").removesuffix(".service")
    unit_file = list(settings(instance))
    single = dict(unit_file)
    environment = dict(os.environ)
    for name, value in unit_file:
        if name == "Environment":
            name, _, value = value.partition("=")  # noqa: PLW2901 - what is in it
            environment[name] = value
    with contextlib.suppress(FileNotFoundError):
        lines = Path(single["EnvironmentFile"].removeprefix("-")).read_text().splitlines()
        environment.update((line.partition("=")[0], line.partition("=")[2]) for line in lines)
    (Path(os.environ["XDG_RUNTIME_DIR"]) / single["RuntimeDirectory"]).mkdir(exist_ok=True)
    masters = Path(os.environ["XDG_RUNTIME_DIR"]) / single["RuntimeDirectory"]
    children: list[int] = []
    ending: list[bool] = []

    def end(_number: int, _frame: object) -> None:
        ending.append(True)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    while not ending:
        subprocess.run(shlex.split(single["ExecStartPre"]), check=True)
        with Path(single["StandardError"].removeprefix("append:")).open("ab") as errors:
            child = subprocess.Popen(
                shlex.split(single["ExecStart"]), env=environment, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
        children[:] = [child.pid]
        save(unit, ActiveState="active", InvocationID=uuid.uuid4().hex, ExecMainStatus=0, pid=os.getpid())
        if ending:
            child.terminate()
        code = child.wait()
        children.clear()
        if code in {0, int(single["RestartPreventExitStatus"])} and not ending:
            save(unit, ActiveState="failed" if code else "inactive", InvocationID=read(unit)["InvocationID"], ExecMainStatus=code, pid=0)
            return
        save(unit, ActiveState="activating", InvocationID="", ExecMainStatus=code, pid=os.getpid())
        if not ending:
            rest(min(0.2, float(single["RestartSec"])))  # in a test nobody waits for seconds
    for socket in masters.iterdir():  # of the unit's own cgroup, in systemd's world; the others' next transfer makes a new one
        subprocess.run(["ssh", "-F", "none", "-S", socket, "-O", "exit", "it"], check=False, capture_output=True)


def start(unit: str) -> None:
    if (RUNS / unit).exists() and read(unit)["pid"]:
        return
    pid = os.fork()
    if pid == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        save(unit, ActiveState="activating", InvocationID="", ExecMainStatus=0, pid=os.getpid())
        supervise(unit)
        os._exit(0)
    while not (RUNS / unit).exists():
        rest(0.005)


def alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the second: it went between the opening and the reading
        return False


def stop(unit: str) -> None:
    if not (RUNS / unit).exists():
        return
    pid = int(str(read(unit)["pid"]))
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        while alive(pid):
            rest(0.005)
        (RUNS / unit).unlink()


def reset(unit: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if read(unit)["ActiveState"] == "failed":
            (RUNS / unit).unlink()


def main(words: list[str]) -> int:
    verb, *rest = [word for word in words if word not in {"--user", "--no-pager", "--no-block"}]
    units = [word for word in rest if not word.startswith("--")]
    lines: list[str] = []
    match verb:
        case "list-units":
            lines = [f"{each.name} loaded {read(each.name)['ActiveState']} x" for each in RUNS.glob("lsyncd@*")]
        case "list-unit-files":
            lines = [f"{each.name} static -" for each in UNITS.iterdir()]
        case "show":
            shown = [{"Id": unit, **(read(unit) if (RUNS / unit).exists() else {"ActiveState": "inactive"})} for unit in units]
            lines = ["\n".join(f"{name}={value}" for name, value in each.items()) + "\n" for each in shown]
        case _:
            for unit in units:
                {"start": start, "stop": stop, "reset-failed": reset}[verb](unit)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
