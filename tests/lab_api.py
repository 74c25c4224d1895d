"""The lab's cloud with nothing behind it, for the cloud port's contract: its API on a loopback address, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.lab.cloud import Account, Api, Machine


class Nothing:
    """Machines that are up at once and made of nothing."""

    def boot(self, machine: Machine) -> None:
        """There is nothing to do."""

    def halt(self, machine: Machine) -> None:
        """There is nothing to do."""


@dataclass(frozen=True)
class LabApi:
    """What `lab_api` yields."""

    host: str
    port: int
    account: Account
    key: str = "a-token-that-the-lab-made-up"

    def start(self, name: str, tags: dict[str, str]) -> str:
        """A machine that burstd has not made; its id."""
        wanted = {"name": name, "size": "small", "image": "web-1", "token": "", "user_data": "", "tags": tags}
        return self.account.make(wanted).id

    def alive(self) -> set[str]:
        """Every machine that is not terminated."""
        return {each.id for each in self.account.all({}) if each.state != "terminated"}


@contextmanager
def lab_api(capacity: int) -> Iterator[LabApi]:
    """The API with an empty account."""
    account = Account(Nothing(), capacity)
    with Api(("127.0.0.1", 0), account, LabApi.key) as api:
        threading.Thread(target=api.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield LabApi(str(api.server_address[0]), api.server_port, account)
        finally:
            api.shutdown()
