"""What holds for every test of properties: time decides nothing, and CI tries the same examples each time.

And for every whole run: the tests that docs/faults.md names have run and passed.
"""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.haproxy_versions import header
from tests.house.faults import named

settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,  # there, red must mean the change and not the luck of the draw; new examples are tried on desks
    print_blob=True,
)
settings.load_profile("house")

WHOLE = ["tests"]
"""The arguments of a whole run, slow tests or not; `script/test` gives them."""


class FaultsSeen:
    """Which tests have passed, and whether those of docs/faults.md are among them."""

    def __init__(self) -> None:
        self.passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid.partition("[")[0])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        unseen = sorted(named() - self.passed)
        if exitstatus == pytest.ExitCode.OK and session.config.args == WHOLE and unseen:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print("\ndocs/faults.md names tests that have not run and passed:", *unseen, sep="\n  ")  # noqa: T201 - the run's last word


def pytest_report_header() -> str:
    return header()


def pytest_configure(config: pytest.Config) -> None:
    # A run in the background inherits SIGINT as ignored, and so would every program that a test sends one to.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # under xdist the controller alone hears of every test
        config.pluginmanager.register(FaultsSeen())
