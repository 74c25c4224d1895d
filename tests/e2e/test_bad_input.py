"""Bad input, case by case, against the real commands: one line that names it and the mend, and an exit code that says who must act.

Nothing is ever changed, and `burstd check` finds whatever is wrong with a peer before the daemon counts on it.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from burstd.errors import Retry
from tests.site import Document, Site, site
from tests.web import own_address

MEND, DOWN = 2, 1
"""Exit codes: somebody must mend something; a peer is down."""


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        spoil: makes the good settings bad.
        code: the exit code.
        named: what the line names: the key or the value.
        mend: the words that say what to do, a regular expression.
    """

    name: str
    spoil: Callable[[Site, Document], None]
    code: int
    named: str
    mend: str


def no_socket(gateway: Site, settings: Document) -> None:
    settings["haproxy"]["socket"] = str(gateway.folder / "nowhere.sock")


def user_level(gateway: Site, settings: Document) -> None:
    settings["haproxy"]["socket"] = str(gateway.haproxy.user_socket)


def no_backend(gateway: Site, settings: Document) -> None:
    settings["haproxy"] = {"socket": str(gateway.haproxy.socket), "backend": "app_clutser"}


def static_balance(gateway: Site, _settings: Document) -> None:
    gateway.haproxy.write_config(gateway.cores, balance="static-rr")
    gateway.haproxy.reload()


def haproxy_down(gateway: Site, _settings: Document) -> None:
    gateway.haproxy.stop()


def exporter_refused(_gateway: Site, settings: Document) -> None:
    settings["core"][0]["exporter"] = f"http://{own_address()}:1/metrics"


def exporter_of_html(gateway: Site, settings: Document) -> None:
    settings["core"][0]["exporter"] = gateway.exporter.removesuffix("metrics")  # node_exporter's own welcome page


def bad_credentials(gateway: Site, _settings: Document) -> None:
    gateway.cloud.folder.mkdir(exist_ok=True)
    (gateway.cloud.folder / "account.json").write_text(json.dumps({"secret": "another one"}))


def unknown(key: str, value: str) -> Callable[[Site, Document], None]:
    def spoil(_gateway: Site, settings: Document) -> None:
        settings["pool"][0][key] = value

    return spoil


CASES = [
    Case("no HAProxy socket", no_socket, MEND, "nowhere.sock", r"start HAProxy with `stats socket"),
    Case("HAProxy down", haproxy_down, DOWN, "admin.sock", r"."),
    Case("a socket of user level", user_level, MEND, "user.sock", r"write `level admin` on its line"),
    Case("no such backend", no_backend, MEND, "app_clutser", r"name one of its backends"),
    Case("a static balance", static_balance, MEND, "app_cluster", r"write `balance roundrobin`"),
    Case("an exporter that refuses", exporter_refused, DOWN, f"{own_address()}:1", r"does node_exporter run there\?"),
    Case(
        "an exporter that answers HTML",
        exporter_of_html,
        MEND,
        'core "core-1"',
        r"expected node_exporter's text format; is the URL right\?",
    ),
    Case("invalid credentials", bad_credentials, MEND, "pool local", r"mend args or secret_files"),
    Case("an unknown driver", unknown("driver", "ec3"), MEND, "ec3", r"use one of .*ec2"),
    Case("an unknown size", unknown("size", "smal"), MEND, "smal", r'did you mean "small"\?'),
    Case("an unknown image", unknown("image", "web-2"), MEND, "web-2", r"use one of web-1"),
]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert "Traceback" not in line
    return line


def untouched(gateway: Site) -> None:
    """No machine, no state folder, and HAProxy has its two core servers alone."""
    assert not list(gateway.cloud.folder.glob("machines/*"))
    assert not (gateway.folder / "state").exists()
    with contextlib.suppress(Retry):  # there is nothing to see where HAProxy is down
        servers = {server.name for server in gateway.haproxy.gateway().read().servers}
        assert servers == {"core-1", "core-2"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_check_finds_a_bad_peer_names_it_and_says_the_mend(case: Case, gateway: Site) -> None:
    settings = copy.deepcopy(gateway.settings)
    case.spoil(gateway, settings)
    gateway.write(settings)
    ran = gateway.burstd("check")
    line = one_line("\n".join(line for line in ran.stdout.splitlines() if line.startswith("fail")))
    assert case.named in line
    assert re.search(case.mend, line)
    assert (ran.returncode, ran.stderr) == (case.code, "")
    untouched(gateway)


@pytest.mark.parametrize("verb", [["check"], ["run"], ["run", "--once"]], ids=" ".join)
def test_a_file_that_is_no_toml_is_named_with_its_line(verb: list[str], gateway: Site) -> None:
    gateway.config.write_text("[fleet]\nmax = = 3\n")
    ran = gateway.burstd(*verb)
    line = one_line(ran.stdout + ran.stderr)
    assert ran.returncode == MEND
    assert "burstd.toml" in line
    assert "line 2" in line
    untouched(gateway)


@pytest.mark.parametrize(
    ("arguments", "named", "mend"),
    [
        (["scale", "--to", "-1"], "--to -1", "a whole number of instances, 0 or more"),
        (["scale", "--to", "999"], "--to 999", r"fleet\.max = 4; name a number within, or raise fleet\.max and reload"),
        (["scale", "--to", "2", "--for", "yesterday"], "--for yesterday", 'expected seconds, .* such as "90s"'),
        (["drain", "nobody"], "nobody", "no instance of this fleet"),
    ],
    ids=["a negative number", "a number beyond the maximum", "a time that is none", "an unknown instance"],
)
def test_an_order_that_cannot_be_followed_is_refused_and_changes_nothing(
    arguments: list[str], named: str, mend: str, gateway: Site
) -> None:
    with gateway.daemon():
        before = gateway.client.get("/v1/status")
        ran = gateway.burstd(*arguments)
        line = one_line(ran.stderr)
        assert (ran.returncode, ran.stdout) == (MEND, "")
        assert named in line
        assert re.search(mend, line)
        after = gateway.client.get("/v1/status")
    assert {key: after[key] for key in ("override", "pause", "drains", "desired")} == {
        key: before[key] for key in ("override", "pause", "drains", "desired")
    }
    assert not list(gateway.cloud.folder.glob("machines/*"))


@pytest.mark.parametrize("verb", [["status"], ["scale", "--to", "1"], ["pause"], ["events"]], ids=" ".join)
def test_without_a_daemon_a_verb_says_so_and_how_to_start_it(verb: list[str], gateway: Site) -> None:
    ran = gateway.burstd(*verb)
    line = one_line(ran.stderr)
    assert (ran.returncode, ran.stdout) == (MEND, "")
    assert "control.sock" in line
    assert "systemctl start burstd" in line
    untouched(gateway)


def test_a_second_daemon_is_refused_and_the_first_goes_on(gateway: Site) -> None:
    with gateway.daemon() as first:
        ran = gateway.burstd("run")
        line = one_line(ran.stderr)
        assert ran.returncode == MEND
        assert f"held by pid {first.pid}" in line
        assert gateway.cycle() is not None
