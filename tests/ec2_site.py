"""A whole gateway whose pool is EC2 on moto behind a fault proxy, with strangers in the account, and a daemon that can be killed."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burstd.errors import BurstdError
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG
from tests.ec2_peer import KEYS, Ec2Peer, ec2_peer
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.site import Document, Site, site
from tests.waiting import wait_until

OTHER: dict[str, str] = {OWNER_TAG: "f" * 32, OPERATION_TAG: "1" * 32}
"""The tags of another fleet's instance."""


@dataclass
class Ec2Site:
    """What `ec2_site` yields; it has no daemon before `start`.

    Attributes:
        strangers: the tags of instances that are not ours, by id.
        owner: the fleet's owner id.
    """

    gateway: Site
    peer: Ec2Peer
    proxy: FaultProxy
    strangers: dict[str, dict[str, str]]
    daemon: subprocess.Popen[str] | None = None
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def owner(self) -> str:
        """The owner id in the state folder."""
        with closing(sqlite3.connect(self.gateway.folder / "state/roster.db")) as roster:
            return str(roster.execute("SELECT value FROM fact WHERE name = 'owner'").fetchone()[0])

    def start(self) -> None:
        """Have a daemon that runs: one that was killed is started again."""
        if self.daemon is None or self.daemon.poll() is not None:
            self._running.close()
            self.daemon = self._running.enter_context(self.gateway.daemon())

    def kill(self) -> None:
        """Kill the daemon outright, and return when it is dead."""
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait(timeout=15)

    def stop(self) -> None:
        """End the daemon."""
        self._running.close()

    def order(self, count: int) -> None:
        """`burstd scale --to`."""
        self.gateway.client.post("/v1/scale", {"count": count, "owner": "test", "reason": "", "seconds": None})

    def instances(self) -> dict[str, dict[str, Any]]:
        """The roster by the cloud's ids, as the daemon tells it; what has none yet stands under its name."""
        return {each["node_id"] or each["name"]: each for each in self.gateway.client.get("/v1/status")["instances"]}

    def ours(self) -> set[str]:
        """Ids of the fleet's living instances, as the cloud itself has them."""
        return {id_ for id_, tags in self.peer.alive().items() if tags.get(OWNER_TAG) == self.owner}

    def servers(self) -> set[str]:
        """Names of the instances that HAProxy lists."""
        listed = {line.row.name for line in self.gateway.haproxy.gateway().read().lines}
        return listed - {core.name for core in self.gateway.cores}

    def converged(self, serving: int, waiting: int = 0) -> None:
        """Wait until so many instances serve and so many wait for their check path; cloud, roster and HAProxy agree on each."""
        told: dict[str, object] = {}

        def agreed() -> bool:
            try:
                roster = self.instances()
            except BurstdError:
                return False
            told["roster"] = phases = {id_: each["phase"] for id_, each in roster.items()}
            if sorted(phases.values()) != ["in_service"] * serving + ["syncing"] * waiting:
                return False
            told["cloud"], told["servers"] = self.ours(), self.servers()
            return told == {
                "roster": phases,
                "cloud": set(phases),
                "servers": {each["name"] for each in roster.values() if each["phase"] == "in_service"},
            }

        try:
            wait_until(agreed, f"{serving} serve and {waiting} wait", within=30, every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; the last look: {told}") from None

    def untouched(self) -> bool:
        """Every stranger lives, with its tags."""
        alive = self.peer.alive()
        return {id_: alive.get(id_) for id_ in self.strangers} == self.strangers


@contextmanager
def ec2_site(folder: Path, **fleet: Any) -> Iterator[Ec2Site]:
    """A site; `fleet` are keys of its [fleet] section."""
    with ExitStack() as stack:
        gateway = stack.enter_context(site(folder))
        peer = stack.enter_context(ec2_peer())
        proxy = stack.enter_context(fault_proxy((peer.host, peer.port)))
        subnet = peer.reset()
        for name, tags in (("burst-0a1b-0000000001", {}), ("burst-ffff-1111111111", OTHER), ("db-1", {"team": "web"})):
            peer.start(subnet, name, tags)
        gateway.settings["fleet"] |= fleet
        config = gateway.haproxy.config
        config.write_text(config.read_text().replace("retries 3", "retries 0"))  # nothing is in flight here: removals need wait for none
        gateway.haproxy.reload()
        gateway.settings["haproxy"]["retries"] = 0
        gateway.settings["pool"] = [pool(peer, proxy, subnet)]
        gateway.write(gateway.settings)
        made = Ec2Site(gateway, peer, proxy, peer.alive())
        stack.callback(made.stop)
        yield made


def pool(peer: Ec2Peer, proxy: FaultProxy, subnet: str) -> Document:
    """The settings of a pool behind that proxy; its deadlines are short, and still long for a peer on a busy machine."""
    return {
        "name": "dublin",
        "driver": "ec2",
        "image": "ami-1",
        "size": "t3.small",
        "args": dict(KEYS),
        "create": {"ex_subnet": subnet},
        "api_host": proxy.host,
        "api_port": proxy.port,
        "api_tls": False,
        "list_deadline": 1.5,
        "create_deadline": 1.5,
        "destroy_deadline": 1.5,
        "port": peer.web_port,
        "metrics_port": 0,
    }
