from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from burstd.settings.sections import Settings
from tests.house.checkout import ROOT

SYSTEMD = ROOT / "deploy/systemd"


def run(name: str, *arguments: object) -> None:
    """The program says that all is well; the test is skipped, visibly, where the machine does not have it."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or pytest.skip(f"{name} is not on this machine")
    done = subprocess.run([program, *map(str, arguments)], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def unit() -> dict[str, list[str]]:
    """The unit's settings, each with its values in order."""
    values: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", (SYSTEMD / "burstd.service").read_text(), re.MULTILINE):
        values.setdefault(key, []).append(value)
    return values


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's stages, each a list of instructions with their arguments; comments dropped, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line.partition(" ") for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]
    instructions = [(word, rest.strip()) for word, _, rest in lines]
    starts = [number for number, (word, _) in enumerate(instructions) if word == "FROM"]
    return [instructions[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def test_systemd_accepts_the_unit() -> None:
    run("systemd-analyze", "verify", SYSTEMD / "burstd.service")


def test_the_unit_exposes_little() -> None:
    run("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", SYSTEMD / "burstd.service")


def test_the_user_of_the_unit_can_be_made() -> None:
    run("systemd-sysusers", "--dry-run", SYSTEMD / "burstd.sysusers.conf")


def test_the_unit_prepares_the_places_that_the_settings_default_to() -> None:
    defaults = Settings()
    assert [f"/var/lib/{unit()['StateDirectory'][0]}"] == [str(defaults.fleet.state_dir)]
    assert f"/run/{unit()['RuntimeDirectory'][0]}" == str(defaults.control.socket.parent)


def test_haproxy_accepts_the_configuration_of_the_gateway() -> None:
    run("haproxy", "-c", "-f", ROOT / "config/haproxy.cfg")


def test_the_image_does_not_run_as_root() -> None:
    assert [argument for word, argument in stages()[-1] if word == "USER"] == ["burstd"]


def test_the_image_is_healthy_when_the_default_health_page_says_so() -> None:
    checks = [argument for word, argument in stages()[-1] if word == "HEALTHCHECK"]
    assert len(checks) == 1
    assert f"http://{Settings().metrics.listen}/healthz" in checks[0]


def test_what_the_image_is_built_from_is_there_and_reaches_the_builder() -> None:
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    built = {argument.split(" AS ")[1] for stage in stages() for word, argument in stage if word == "FROM" and " AS " in argument}
    for word, argument in [instruction for stage in stages() for instruction in stage]:
        if word == "COPY" and (earlier := re.match(r"--from=(\S+) ", argument)):
            assert earlier[1] in built
        elif word == "COPY":
            for source in argument.split()[:-1]:
                assert (ROOT / source).exists(), f"COPY {source}"
                assert source in sent, f".dockerignore keeps {source} from the builder"


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = [
        step for stage in stages() for word, argument in stage if word == "RUN" for step in argument.split("&&") if " install " in step
    ]
    assert len(installs) >= 3
    assert [
        step for step in installs if "--require-hashes" not in step and "--no-deps dist/" not in step and "--directory" not in step
    ] == []
