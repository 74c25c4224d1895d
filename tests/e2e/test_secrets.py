"""Canaries: a key, a secret, a token and a user-data document go through every failing path, and turn up nowhere."""

from __future__ import annotations

import base64
import itertools
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus
from urllib.request import urlopen

import pytest

from tests.canned_peer import CannedPeer, canned_peer, http, reset
from tests.site import COMMAND, Site, site
from tests.waiting import wait_until
from tests.web import own_address

NONE = '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet/></DescribeInstancesResponse>'
ERROR = "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>1</RequestID></Response>"

SECRET = "canary/secret+0123456789abcdefghijklmnop"
TOKEN = "canary-token/0123456789+abcdefghijklmnop"
DOCUMENT = "#cloud-config\npassword: canary-document hunter2\n"
ENCODED = base64.b64encode(DOCUMENT.encode()).decode()
CANARIES = ("canary", "hunter2", SECRET[7:], TOKEN[13:], *(each(SECRET)[9:] for each in (quote, quote_plus)), ENCODED[4:-4])
"""In clear, as a URL writes them, and as user-data travels; nothing else on this site has such a name."""

BROKEN = """
import burstd.wiring as wiring
from burstd.cli import main

def renew(self, pools):
    held = dict(self._pools[0].args)
    raise RuntimeError("a bug of this test")

wiring.Wiring.renew = renew
main()
"""


@dataclass
class Account:
    """An EC2 that refuses everybody but who has the right key, spoils each create in another way, and repeats every secret it knows."""

    accepted: str = "AKIAFIRST"
    creates: Iterator[int] = field(default_factory=itertools.count)

    def answer(self, request: str, connection: socket.socket, over: threading.Event) -> None:
        sent = re.findall(r"UserData=[^& ]*|canary-token\S*", request)
        echo = f"{SECRET} {' '.join(sent)} {DOCUMENT.splitlines()[1]} GET /?{'&amp;'.join(sent)}"
        if self.accepted not in request:
            http("401 Unauthorized", ERROR.format("AuthFailure", f"not with {echo}"))(request, connection, over)
        elif "DescribeInstances" in request:
            http("200 OK", NONE)(request, connection, over)
        else:
            spoilt = (
                reset,
                http("500 Internal Server Error", f"<html>{echo}</html>"),
                http("200 OK", f"<html>{echo}</html>"),
                http("400 Bad Request", ERROR.format("InvalidParameterValue", f"bad: {echo}")),
            )
            spoilt[next(self.creates) % len(spoilt)](request, connection, over)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def peer(account: Account) -> Iterator[CannedPeer]:
    with canned_peer(account.answer) as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, peer: CannedPeer) -> Iterator[Site]:
    for name, content in {"key": "AKIAFIRST", "secret": SECRET, "token": TOKEN, "cloud-init": DOCUMENT}.items():
        (tmp_path / name).write_text(content)
    with site(tmp_path) as running, socket.create_server((own_address(), 0)) as free:
        port = free.getsockname()[1]
        free.close()
        running.settings["fleet"] |= {"min": 4, "max_step": 4}
        running.settings["metrics"]["listen"] = f"{own_address()}:{port}"
        running.settings["log"] = {"level": "debug"}
        running.settings["pool"] = [
            {
                "name": "dublin",
                "driver": "ec2",
                "image": "ami-1",
                "size": "t3.small",
                "args": {"region": "eu-west-1"},
                "secret_files": {"key": "key", "secret": "secret", "token": "token"},
                "user_data": "cloud-init",
                "api_host": peer.host,
                "api_port": peer.port,
                "api_tls": False,
            }
        ]
        running.write(running.settings)
        yield running


def everything_said(gateway: Site, pid: int) -> str:
    """All that the daemon and the verbs tell anybody."""
    verbs = [("status",), ("explain",), ("plan",), ("events", "--limit", "1000"), ("check",), ("fleet",)]
    said = [Path(f"/proc/{pid}/cmdline").read_text()]
    for verb in verbs:
        for form in ((), ("--json",)):
            ran = gateway.burstd(*verb, *form)
            assert ran.stdout
            said += [ran.stdout, ran.stderr]
    with urlopen(f"http://{gateway.settings['metrics']['listen']}/metrics", timeout=10) as page:
        said.append(page.read().decode())
    said.append((gateway.folder / "daemon.log").read_text())
    return "\n".join(said)


def leaks(said: str) -> list[str]:
    return [said[max(0, at - 150) : at + 50] for canary in CANARIES if (at := said.find(canary)) >= 0]


def pools(gateway: Site) -> dict[str, Any]:
    (pool,) = gateway.client.get("/v1/status")["pools"]
    return dict(pool)


def test_no_failing_path_shows_a_secret_and_rotated_ones_are_followed_without_a_reload(
    gateway: Site, account: Account, peer: CannedPeer
) -> None:
    with gateway.daemon() as daemon:
        wait_until(lambda: sum("RunInstances" in each for each in peer.requests) >= 4, "four creates")
        assert all(any(canary in each for each in peer.requests) for canary in (TOKEN, quote_plus(ENCODED))), "the peer was told"
        wait_until(lambda: pools(gateway)["stopped"], "the refused parameters stop the pool")
        assert "Max core file size        0" in Path(f"/proc/{daemon.pid}/limits").read_text()
        assert leaks(everything_said(gateway, daemon.pid)) == []

        account.accepted = "AKIASECOND"
        wait_until(lambda: (pools(gateway)["fault"] or {}).get("kind") == "denied", "the key is refused")
        assert leaks(everything_said(gateway, daemon.pid)) == []
        (gateway.folder / "key").write_text("AKIASECOND")
        wait_until(lambda: pools(gateway)["fault"] is None, "the pool is listed with the new key")
        told = [each["text"] for each in gateway.client.get("/v1/events")["events"]]
        assert "pool dublin is connected anew: its secret files have changed since it was refused" in told
        assert any(each.startswith("pool dublin was stopped and is tried again, since its secrets have changed") for each in told)

        spoilt = dict(gateway.settings)
        spoilt["pool"] = [{**gateway.settings["pool"][0], "args": {"token": TOKEN}, "create": SECRET, "sceret": SECRET}]
        gateway.write(spoilt)
        daemon.send_signal(signal.SIGHUP)
        log = gateway.folder / "daemon.log"
        wait_until(lambda: "reload refused" in log.read_text(), "the refused reload")
        for verb in ("check", "run", "adopt", "fleet"):
            ran = gateway.burstd(verb)
            assert ran.returncode == 2
            assert leaks(ran.stdout + ran.stderr) == []
        assert leaks(log.read_text() + gateway.burstd("events", "--json").stdout) == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_in_the_log_shows_no_secret(gateway: Site, form: str) -> None:
    gateway.settings["log"] = {"level": "debug", "format": form}
    gateway.write(gateway.settings)
    broken = [COMMAND[0], "-c", BROKEN, "--config", str(gateway.config), "run"]
    ran = subprocess.run(broken, env=gateway._environment({}), capture_output=True, text=True, timeout=90, check=False)
    assert (ran.returncode, "Traceback" in ran.stderr, "a bug of this test" in ran.stderr) == (1, True, True)
    assert leaks(ran.stdout + ran.stderr) == []
