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
        command: what is run.
        code: the exit code.
        named: what the line names: the key or the value.
        mend: the words that say what to do, a regular expression.
        spoil: makes the good settings, or the peers, bad.
        daemon: a daemon runs meanwhile, on good settings.
    """

    name: str
    command: str
    code: int
    named: str
    mend: str
    spoil: Callable[[Site, Document], None] = lambda _gateway, _settings: None
    daemon: bool = False


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


def no_toml(_gateway: Site, settings: Document) -> None:
    settings["fleet"] = {"max =": "3"}


def unknown(key: str, value: str) -> Callable[[Site, Document], None]:
    def spoil(_gateway: Site, settings: Document) -> None:
        settings["pool"][0][key] = value

    return spoil


NO_DAEMON = "systemctl start burstd"

CASES = [
    Case("no HAProxy socket", "check", MEND, "nowhere.sock", r"start HAProxy with `stats socket", no_socket),
    Case("HAProxy down", "check", DOWN, "admin.sock", r".", haproxy_down),
    Case("a socket of user level", "check", MEND, "user.sock", r"write `level admin` on its line", user_level),
    Case("no such backend", "check", MEND, "app_clutser", r"name one of its backends", no_backend),
    Case("a static balance", "check", MEND, "app_cluster", r"write `balance roundrobin`", static_balance),
    Case("an exporter that refuses", "check", DOWN, f"{own_address()}:1", r"does node_exporter run there\?", exporter_refused),
    Case("an exporter that answers HTML", "check", MEND, 'core "core-1"', r"expected node_exporter's text format", exporter_of_html),
    Case("invalid credentials", "check", MEND, "pool local", r"mend args or secret_files", bad_credentials),
    Case("an unknown driver", "check", MEND, "ec3", r"use one of .*ec2", unknown("driver", "ec3")),
    Case("an unknown size", "check", MEND, "smal", r'did you mean "small"\?', unknown("size", "smal")),
    Case("an unknown image", "check", MEND, "web-2", r"use one of web-1", unknown("image", "web-2")),
    Case("settings that are no TOML, checked", "check", MEND, "burstd.toml", r"line 2", no_toml),
    Case("settings that are no TOML, run", "run", MEND, "burstd.toml", r"line 2", no_toml),
    Case("settings that are no TOML, run once", "run --once", MEND, "burstd.toml", r"line 2", no_toml),
    Case("a negative number", "scale --to -1", MEND, "--to -1", r"a whole number of instances, 0 or more", daemon=True),
    Case("a number beyond max", "scale --to 999", MEND, "--to 999", r"name a number within, or raise fleet\.max", daemon=True),
    Case("a time that is none", "scale --to 2 --for yesterday", MEND, "--for yesterday", r'such as "90s"', daemon=True),
    Case("an unknown instance", "drain nobody", MEND, "nobody", r"no instance of this fleet", daemon=True),
    Case("status without a daemon", "status", MEND, "control.sock", NO_DAEMON),
    Case("an order without a daemon", "scale --to 1", MEND, "control.sock", NO_DAEMON),
    Case("a pause without a daemon", "pause", MEND, "control.sock", NO_DAEMON),
    Case("events without a daemon", "events", MEND, "control.sock", NO_DAEMON),
]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert "Traceback" not in line
    return line


def untouched(gateway: Site, *, started: bool) -> None:
    """No machine, no state folder unless a daemon has run, and HAProxy has its two core servers alone."""
    assert not list(gateway.cloud.folder.glob("machines/*"))
    assert (gateway.folder / "state").exists() == started
    with contextlib.suppress(Retry):  # there is nothing to see where HAProxy is down
        servers = {server.name for server in gateway.haproxy.gateway().read().backends[0].servers}
        assert servers == {"core-1", "core-2"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_told_in_one_line_with_the_mend_and_changes_nothing(case: Case, gateway: Site) -> None:
    settings = copy.deepcopy(gateway.settings)
    case.spoil(gateway, settings)
    gateway.write(settings)
    with gateway.daemon() if case.daemon else contextlib.nullcontext():
        before = in_force(gateway) if case.daemon else None
        ran = gateway.burstd(*case.command.split())
        assert before == (in_force(gateway) if case.daemon else None)
    # `check` lists what is well too; what is wrong is the one line that begins with "fail".
    line = one_line("\n".join(each for each in (ran.stdout + ran.stderr).splitlines() if not each.startswith(("ok", "warning"))))
    assert case.named in line
    assert re.search(case.mend, line)
    assert ran.returncode == case.code
    untouched(gateway, started=case.daemon)


def in_force(gateway: Site) -> Document:
    """What an order could have changed."""
    status = gateway.client.get("/v1/status")
    return {key: status[key] for key in ("override", "pause", "drains", "desired")}


def test_a_second_daemon_is_refused_and_the_first_goes_on(gateway: Site) -> None:
    with gateway.daemon() as first:
        ran = gateway.burstd("run")
        line = one_line(ran.stderr)
        assert ran.returncode == MEND
        assert f"held by pid {first.pid}" in line
        assert gateway.cycle() is not None
