"""The WAN: a switch in user space with one TAP for each host, a delay between sites, and a control socket to cut, heal and change it.

    python -m tests.lab.wan CONTROL_SOCKET

This kernel's netem would do the same for delays; many machines lack it. A cut is a black hole: no reset, no ICMP, nothing comes back.
Frames wait in one heap by the time at which they are due. A switch that is killed takes the TAPs along, and every host is alone.
"""

from __future__ import annotations

import fcntl
import heapq
import itertools
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.lab.hosts import ROUND_TRIPS

TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000
ARP: Final = b"\x08\x06"
FRAME: Final = 2048
"""More than an Ethernet frame; the TAPs keep the usual 1500 bytes of MTU."""

BURST: Final = 64
"""Frames that are taken from one TAP before the others have their turn."""

ROUTES: Final = ("10.0.0.0/8", "192.168.1.0/24")
"""All hosts are on one link, as seen from each of them."""


class Refused(Exception):
    """The control socket's answer is no; the message says why."""


@dataclass(frozen=True, slots=True)
class Port:
    """Where one host is plugged in."""

    name: str
    site: str
    mac: bytes
    tap: int


class Switch:
    """Frames from TAP to TAP, each late by its way."""

    def __init__(self, round_trips: Mapping[tuple[str, str], float]) -> None:
        self._one_way = {frozenset(pair): millis / 2000 for pair, millis in round_trips.items()}
        self._ports: dict[str, Port] = {}
        self._by_tap: dict[int, Port] = {}
        self._by_mac: dict[bytes, Port] = {}
        self._cut: set[str] = set()
        self._late: list[tuple[float, int, Port, bytes]] = []
        self._serial = itertools.count()
        self._names = itertools.count()

    def serve(self, control: socket.socket) -> None:
        """For ever."""
        while True:
            now = time.monotonic()
            while self._late and self._late[0][0] <= now:
                _, _, port, frame = heapq.heappop(self._late)
                self._deliver(port, frame)
            patience = max(0.0, self._late[0][0] - time.monotonic()) if self._late else None
            door = control.fileno()
            for each in select.select([door, *self._by_tap], [], [], patience)[0]:
                if each == door:
                    self._answer(control)
                else:
                    self._take(each)

    def _take(self, tap: int) -> None:
        source = self._by_tap.get(tap)
        for _ in range(BURST):
            if source is None:
                return
            try:
                frame = os.read(tap, FRAME)
            except BlockingIOError:
                return
            except OSError:  # the namespace is gone, and the TAP with it
                self._unplug(source.name)
                return
            target = self._by_mac.get(frame[:6])
            for port in [target] if target else list(self._ports.values()) if frame[0] & 1 else []:
                if port is not source and self._passes(source, port):
                    # ARP is answered by the router next door, on a real WAN.
                    near = source.site == port.site or frame[12:14] == ARP
                    delay = 0.0 if near else self._one_way.get(frozenset((source.site, port.site)), 0.0)
                    heapq.heappush(self._late, (time.monotonic() + delay, next(self._serial), port, frame))

    def _deliver(self, port: Port, frame: bytes) -> None:
        if self._ports.get(port.name) is port and port.name not in self._cut:
            try:
                os.write(port.tap, frame)
            except BlockingIOError:
                pass  # a full queue drops, as on any wire
            except OSError:
                self._unplug(port.name)

    def _passes(self, source: Port, target: Port) -> bool:
        crossing = source.site != target.site
        return not ({source.name, target.name} & self._cut or (crossing and {source.site, target.site} & self._cut))

    def _answer(self, control: socket.socket) -> None:
        with control.accept()[0] as caller:
            caller.settimeout(1.0)
            try:
                asked = json.loads(caller.makefile().readline())
                answer = {"done": getattr(self, f"order_{asked.pop('order')}")(**asked)}
            except Refused as refused:
                answer = {"refused": str(refused)}
            except (OSError, ValueError, TypeError, AttributeError, LookupError, subprocess.CalledProcessError) as error:
                answer = {"refused": f"{type(error).__name__}: {error}"}
            try:
                caller.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                return  # who asked is gone

    def order_plug(self, name: str, site: str, mac: str, address: str, namespace: str) -> None:
        """Give the host's namespace its interface, and plug it in."""
        self._unplug(name)
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            device = f"burstdlab{next(self._names)}"
            fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
            _ip("link", "set", device, "netns", namespace, "name", "eth0", "address", mac)
            _ip("-n", namespace, "address", "add", f"{address}/32", "dev", "eth0")
            _ip("-n", namespace, "link", "set", "lo", "up")
            _ip("-n", namespace, "link", "set", "eth0", "up")
            for route in ROUTES:
                _ip("-n", namespace, "route", "add", route, "dev", "eth0", "src", address)
        except BaseException:
            os.close(tap)
            raise
        port = Port(name, site, bytes.fromhex(mac.replace(":", "")), tap)
        self._ports[name] = self._by_tap[tap] = self._by_mac[port.mac] = port

    def order_unplug(self, name: str) -> None:
        """Take the host's interface away."""
        self._unplug(name)
        self._cut.discard(name)

    def order_cut(self, name: str) -> None:
        """Nothing reaches the host any more, nor comes from it; of a site: nothing crosses its border."""
        self._known(name)
        self._cut.add(name)

    def order_heal(self, name: str) -> None:
        """Undo the cut."""
        self._known(name)
        self._cut.discard(name)

    def order_round_trip(self, one: str, other: str, millis: float) -> None:
        """Change the round trip between two sites, milliseconds; what is under way keeps its time."""
        sites = set[str]().union(*self._one_way)
        if not {one, other} <= sites or one == other:
            raise Refused(f"{one} and {other}: expected two of the sites {', '.join(sorted(sites))}")
        self._one_way[frozenset((one, other))] = millis / 2000

    def order_show(self) -> dict[str, Any]:
        """Who is plugged in, what is cut, and the round trips in milliseconds."""
        trips = {"-".join(sorted(pair)): round(way * 2000, 3) for pair, way in self._one_way.items()}
        return {"plugged": {port.name: port.site for port in self._ports.values()}, "cut": sorted(self._cut), "round_trips_ms": trips}

    def _known(self, name: str) -> None:
        sites = {site for pair in self._one_way for site in pair}
        if name not in self._ports and name not in sites:
            raise Refused(f"{name}: expected a host ({', '.join(sorted(self._ports))}) or a site ({', '.join(sorted(sites))})")

    def _unplug(self, name: str) -> None:
        port = self._ports.pop(name, None)
        if port is not None:
            del self._by_tap[port.tap]
            del self._by_mac[port.mac]
            os.close(port.tap)


def order(control: Path, name: str, /, **arguments: Any) -> Any:  # noqa: ANN401 - each order has its own answer
    """Ask the running switch.

    Raises:
        Refused: it says no, with its reason.
        OSError: it does not answer.
    """
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(20.0)
        caller.connect(str(control))
        caller.sendall(json.dumps({"order": name, **arguments}).encode() + b"\n")
        answer = json.loads(caller.makefile().readline())
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer["done"]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def main(path: Path) -> None:
    """Serve on this control socket."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(path))
        path.chmod(0o600)
        control.listen(16)
        Switch(ROUND_TRIPS).serve(control)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
