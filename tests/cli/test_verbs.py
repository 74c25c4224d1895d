from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from burstd.cli.group import burstd
from burstd.cli.login import login
from burstd.model.fleet import Pause, Phase
from burstd.model.orders import DrainInstance, ReleaseMirror, ScaleAuto, ScaleTo, SetPause
from tests.served import Served, served
from tests.turns import instance, quiet_turn, rich_turn


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


def run(daemon: Served, *line: str, **env: str) -> Result:
    return CliRunner().invoke(burstd, ["--socket", str(daemon.socket), *line], prog_name="burstd", env={"SUDO_USER": "anna", **env})


def printed(result: Result) -> str:
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_status_begins_with_the_sentence_and_shows_every_server_and_instance(daemon: Served) -> None:
    lines = printed(run(daemon, "status")).splitlines()
    assert lines[0] == rich_turn().sentence
    text = "\n".join(lines)
    assert all(
        name in text for name in ("core-oslo-01", "core-oslo-02", "dublin", "oslo", *(each.name for each in rich_turn().snapshot.fleet))
    )
    assert "anna ordered 3 for another 1h: the sale" in text
    assert "scale-in is paused until `burstd resume`" in text


def test_content_status_shows_the_hold_and_each_instances_lag_and_trouble(daemon: Served) -> None:
    lines = printed(run(daemon, "content", "status")).splitlines()
    assert lines[0].startswith("held: 900 of 1000 files were deleted within 60 s; look at the content")
    assert lines[1] == "it does not answer: it gave no answer within 10 s"
    assert lines[3].split() == ["INSTANCE", "PHASE", "ADDRESS", "FIRST", "RUN", "BEHIND", "TROUBLE"]
    assert "40s" in lines[4]
    told = json.loads(printed(run(daemon, "content", "status", "--json")))
    assert told["content"]["files"] == 1000
    assert told["instances"][0]["content_lag_seconds"] == 40


def test_content_release_is_an_order_with_its_owner(daemon: Served) -> None:
    assert printed(run(daemon, "content", "release", "--reason", "meant so")) == "the mirror is told to go on\n"
    assert daemon.orders == [ReleaseMirror("anna", "meant so")]


def test_without_a_mirror_content_status_says_so(tmp_path: Path) -> None:
    with served(tmp_path, turn=quiet_turn()) as quiet:
        assert printed(run(quiet, "content", "status")) == "no content is mirrored (content.core)\n"


@pytest.mark.parametrize("verb", ["status", "explain", "plan", "events"])
def test_json_is_the_daemons_document(daemon: Served, verb: str) -> None:
    told = json.loads(printed(run(daemon, verb, "--json")))
    _, served_document = daemon.ask("GET", f"/v1/{verb}")
    ages = {"age_seconds": None}
    assert told | ages == served_document | ages


def test_the_options_of_the_socket_stand_before_or_after_the_verb(daemon: Served) -> None:
    told = CliRunner().invoke(burstd, ["status", "--socket", str(daemon.socket), "--json"])
    assert json.loads(printed(told))["fleet"] == "burst"


def test_the_socket_comes_from_the_environment_or_else_from_the_settings_file(daemon: Served, tmp_path: Path) -> None:
    file = tmp_path / "burstd.toml"
    file.write_text('[control]\nsocket = "control.sock"\n')  # relative: from the folder of the file
    runner = CliRunner()
    for line, env in (
        (["status"], {"BURSTD_CONTROL__SOCKET": str(daemon.socket)}),
        (["status"], {"BURSTD_CONFIG": str(file), "BURSTD_CONTROL__SOCKET": None}),
        (["--config", str(file), "status"], {"BURSTD_CONTROL__SOCKET": None}),
        (["status", "--config", str(file)], {"BURSTD_CONTROL__SOCKET": None}),
    ):
        assert rich_turn().sentence in printed(runner.invoke(burstd, line, env=env))


def test_a_settings_file_without_a_socket_means_the_default_one(tmp_path: Path) -> None:
    file = tmp_path / "burstd.toml"
    file.write_text("[fleet]\nmax = 3\n")
    told = CliRunner().invoke(burstd, ["status", "--config", str(file)], env={"BURSTD_CONTROL__SOCKET": None})
    assert told.exit_code == 2
    assert told.stderr.startswith("burstd: /run/burstd/control.sock: ")


def test_explain_answers_each_why(daemon: Served) -> None:
    text = printed(run(daemon, "explain"))
    for part in (
        "Why 3 instances (2 now, 1 to 4 allowed)",
        "threshold wishes 0 (hold)",
        "Why weight 40",
        "Orders in force",
        "What is waited for",
        "syncing for 1m, 1m left",
        "What keeps an instance from going",
        "Pools left alone",
        "What is wrong",
    ):
        assert part in text


def test_plan_shows_each_action_with_its_outcome(daemon: Served) -> None:
    text = printed(run(daemon, "plan"))
    assert "done     create burst-0a1b-0000000002 in pool dublin" in text
    assert "failed   add burst-0a1b-0000000001" in text
    assert "(no such server)" in text


def test_events_are_a_line_each(daemon: Served) -> None:
    run(daemon, "pause")
    lines = printed(run(daemon, "events", "--limit", "1")).splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("order     anna: scale-out and scale-in are paused until `burstd resume`")


def test_orders_carry_who_typed_them_and_print_the_daemons_sentence(daemon: Served) -> None:
    name = instance(1, Phase.IN_SERVICE).name
    assert printed(run(daemon, "scale", "--to", "2", "--for", "1h30m", "--reason", "the sale")).startswith("2 instances wanted for 5400 s")
    assert printed(run(daemon, "scale", "--auto")) == "the policies decide the number of instances\n"
    assert "scale-in" in printed(run(daemon, "pause", "in", "--reason", "migration"))
    assert printed(run(daemon, "resume")) == "nothing is paused\n"
    assert printed(run(daemon, "drain", name)) == f"{name} is drained and then destroyed\n"
    assert daemon.orders == [
        ScaleTo(2, "anna", "the sale", 5400.0),
        ScaleAuto("anna"),
        SetPause(Pause.IN, "anna", "migration"),
        SetPause(Pause.NONE, "anna"),
        DrainInstance(name, "anna"),
    ]


@pytest.mark.parametrize("line", ["scale --to 2", "scale --auto", "pause", "resume", "drain burst-0a1b-0000000001"])
def test_orders_answer_in_json_where_asked(daemon: Served, line: str) -> None:
    assert list(json.loads(printed(run(daemon, *line.split(), "--json")))) == ["sentence"]


def test_a_number_above_the_maximum_names_the_key(daemon: Served) -> None:
    told = run(daemon, "scale", "--to", "999")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "fleet.max" in told.stderr
    assert told.stderr.count("\n") == 1
    assert daemon.ask("GET", "/v1/status")[1]["override"]["count"] == 3, "nothing was changed"


def test_a_name_that_is_no_instance_is_named_with_those_that_are(daemon: Served) -> None:
    told = run(daemon, "drain", "core-oslo-01")
    assert told.exit_code == 2
    assert "burst-0a1b-0000000001" in told.stderr


def test_what_peers_said_cannot_move_the_cursor(tmp_path: Path) -> None:
    turn = replace(rich_turn(), sentence="\x1b[2J\x1b[1;1Hall is well\r\n\u202e")
    with served(tmp_path, turn=turn) as daemon:
        for verb in ("status", "explain", "plan"):
            assert printed(run(daemon, verb)).splitlines()[0] == "?[2J?[1;1Hall is well???"


def test_colours_are_for_terminals_and_no_color_turns_them_off(daemon: Served) -> None:
    line = ["--socket", str(daemon.socket), "status"]
    assert "\x1b[" not in printed(CliRunner().invoke(burstd, line))
    assert "\x1b[31m" in printed(CliRunner().invoke(burstd, line, color=True, env={"NO_COLOR": None}))
    assert "\x1b[" not in printed(CliRunner().invoke(burstd, line, color=True, env={"NO_COLOR": "1"}))


def test_who_typed_is_the_one_before_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    assert login() == "anna"
    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setenv("LOGNAME", "berit")
    assert login() == "berit"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", nobody)
    assert login().startswith("uid ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(shell: str) -> None:
    script = CliRunner().invoke(burstd, ["completion", shell])
    assert "_BURSTD_COMPLETE" in printed(script)
    told = json.loads(printed(CliRunner().invoke(burstd, ["completion", shell, "--json"])))
    assert told == {"shell": shell, "script": script.stdout.removesuffix("\n")}


def test_bash_accepts_the_script_and_completes_verbs_with_it(tmp_path: Path) -> None:
    bash = shutil.which("bash") or pytest.skip("bash is not on this machine")
    script = tmp_path / "completion"
    script.write_text(printed(CliRunner().invoke(burstd, ["completion", "bash"])))
    subprocess.run([bash, "-n", str(script)], check=True)
    asked = {"COMP_WORDS": "burstd ex", "COMP_CWORD": "1", "_BURSTD_COMPLETE": "bash_complete"}
    assert CliRunner().invoke(burstd, [], prog_name="burstd", env=asked).stdout == "plain,explain\n"
