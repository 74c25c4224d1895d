"""What a machine lacks is said before anything is made; these tests need nothing of it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.lab import cgroups, machine, pages, place
from tests.lab.__main__ import LACKING, PROOFS, main
from tests.lab.drill import content, gateway, run
from tests.lab.drill.observer import Answer, Observation


def test_without_root_every_verb_says_so_and_exits_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for words in (["up"], ["down"], ["status"], ["shell", "gateway"], ["cut", "oslo"], ["heal", "oslo"], ["drill"]):
        refused = CliRunner().invoke(main, words)
        assert refused.exit_code == LACKING, words
        assert "lab: this machine lacks root: " in refused.output


def test_each_part_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(machine, "DEVICES", {"/dev/no-such-thing": "for a test"})
    monkeypatch.setattr(cgroups, "hierarchies", lambda: {"unified": Path("/sys/fs/cgroup")})
    said = "\n".join(machine.lacking())
    for word in (
        *machine.PROGRAMS,
        "/dev/no-such-thing",
        "hierarchy cpu ",
        "hierarchy cpuacct",
        "hierarchy cpuset",
        "hierarchy name=systemd",
    ):
        assert word in said


def test_the_help_names_every_proof() -> None:
    assert tuple(run.PROOFS) == PROOFS


def test_a_page_is_told_whole_by_its_name() -> None:
    assert len({pages.content(number) for number in range(pages.COUNT)}) == pages.COUNT
    assert pages.content(7).splitlines()[:2] == ["page-0007.txt", str(7 * 7919 % 1000003)]


def test_an_observation_is_normal_after_the_last_request_that_was_not() -> None:
    answers = [Answer(float(second), 0.1 if second != 3 else 4.0, 200, "b", "") for second in range(10)]
    assert Observation(answers).normal_after(1.0, {"b"}) == pytest.approx(2.1)
    assert Observation(answers).normal_after(4.0, {"b"}) == 0.0
    assert Observation(answers).normal_after(0.0, {"a"}) is None


def test_a_program_that_does_not_end_in_time_has_failed_in_one_line() -> None:
    with pytest.raises(place.Failed, match=r"^tail -f /dev/null: did not end within 0\.1 s$"):
        place.run(["tail", "-f", "/dev/null"], timeout=0.1)


def test_a_lag_that_nobody_knows_is_no_lag_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [{"name": "burst-1", "content_lag_seconds": None}, {"name": "burst-2", "content_lag_seconds": 2.5}]
    monkeypatch.setattr(gateway, "burstd", lambda *_words: json.dumps({"instances": told}))
    assert (content._lag("burst-1"), content._lag("burst-2"), content._lag("burst-3")) == ([], [2.5], [])
