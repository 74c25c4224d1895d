"""`burstd demo` as a process, from its first line to the last thing it clears away."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.waiting import wait_until

DEMO = [sys.executable, "-P", "-m", "burstd", "demo"]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where the demo makes its own folder; a short path, because those of sockets must be."""
    folder = Path(tempfile.mkdtemp(prefix="demo-"))
    yield folder
    shutil.rmtree(folder)


class Demo:
    """A running demo whose words can be read as they come."""

    def __init__(self, scratch: Path, *words: str) -> None:
        self.folder = scratch
        self._log = scratch / "words"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*DEMO, *words], cwd=scratch, env={**os.environ, "TMPDIR": str(scratch)}, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def words(self) -> str:
        return self._log.read_text()

    def wait_for(self, pattern: str) -> None:
        def told() -> bool:
            return re.search(pattern, self.words, re.MULTILINE) is not None

        wait_until(lambda: told() or self.process.poll() is not None, f"the demo says {pattern}", within=30)
        assert told(), self.words

    def interrupt(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def leftovers(self) -> list[str]:
        """The demo's folders, and every process that names one of them or an address of its network."""
        second, third = divmod(self.process.pid % (64 * 256), 256)
        marks = (f"{self.folder}/burstd-", f"127.{128 + second}.{third}.")
        left = [str(path) for path in self.folder.glob("burstd-*")]
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = command.read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has ended meanwhile
                continue
            if any(mark in text for mark in marks):
                left.append(text)
        return left


@pytest.fixture
def started(scratch: Path) -> Iterator[list[Demo]]:
    """Demos that a test starts; whatever happens they are ended, each in its own orderly way."""
    demos: list[Demo] = []
    yield demos
    for demo in demos:
        if demo.process.poll() is None:
            demo.interrupt(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_clears_everything_away(scratch: Path, started: list[Demo], number: signal.Signals) -> None:
    demo = Demo(scratch)
    started.append(demo)
    demo.wait_for(r"^ +\d+ s  quiet, 8 users: load")
    assert len(demo.leftovers()) >= 10  # its folder, four core servers, two gateways and their workers, burstd, two generators
    assert demo.interrupt(number) == 128 + number
    assert demo.words.endswith("burstd: demo: interrupted, and everything cleared away\n")
    assert demo.leftovers() == []


def test_every_command_that_keep_prints_works_in_another_shell(scratch: Path, started: list[Demo]) -> None:
    demo = Demo(scratch, "--keep")
    started.append(demo)
    demo.wait_for(r"^ +\d+ s  quiet, 8 users: load")
    commands = re.findall(r"^  (\S.*)$", demo.words, re.MULTILINE)
    assert len(commands) == 13
    for command in commands:
        done = subprocess.run(["bash", "-c", f"timeout 3 {command}"], capture_output=True, text=True, check=False, timeout=30)
        watching = "--watch" in shlex.split(command)
        assert done.returncode == (124 if watching else 0), f"{command}: {done.stderr}"
        assert done.stdout or "promtool" in command, command
    demo.wait_for(r"booting: the cloud has made it")  # what `scale --to 2` has ordered
    assert demo.interrupt(signal.SIGTERM) == 128 + signal.SIGTERM
    assert demo.leftovers() == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--picture", "run.gif"], "--picture run.gif: expected a name that ends in .svg, .png, .pdf; write for example burstd-demo.svg"),
        (["--picture", "no/run.svg"], "--picture no/run.svg: expected a folder that exists, found none; make it first (mkdir -p no)"),
        (["--json", "no/out.json"], "--json no/out.json: expected a folder that exists, found none; make it first (mkdir -p no)"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_anything_starts(scratch: Path, words: list[str], complaint: str) -> None:
    done = subprocess.run([*DEMO, *words], cwd=scratch, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"burstd: {complaint}\n"
    assert done.stdout == ""


@pytest.mark.slow
@pytest.mark.timeout(330)
@pytest.mark.parametrize("mode", ["weighted", "spillover"])
def test_the_demo_shows_what_it_promises(scratch: Path, started: list[Demo], mode: str) -> None:
    demo = Demo(scratch, "--mode", mode, "--json", "out.json", "--picture", "run.svg")
    started.append(demo)
    assert demo.process.wait(300) == 0, demo.words
    figures = json.loads((scratch / "out.json").read_text())
    assert figures["launched"] >= 2
    assert figures["errors"] == 0
    assert figures["orphans"] == 0
    assert figures["destroyed"] == figures["launched"]
    assert figures["requests"] >= 5000
    above = figures["seconds_above_threshold"]
    assert above["with"] < above["without"] / 2
    assert figures["mean_load"] <= figures["peak_load"] < figures["without"]["peak_load"]
    assert figures["mode"] == mode
    assert figures["reaction_seconds"] > 0
    assert figures["reaction_seconds"] < above["with"] or mode == "spillover"  # there the load never crosses
    assert ET.parse(scratch / "run.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own file
    assert demo.leftovers() == []
