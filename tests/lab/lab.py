"""The lab as a whole: up, down, status."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from tests.lab import cgroups, container, image, packages, place, provision, rendered, stage, wan
from tests.lab.hosts import HOSTS
from tests.lab.place import say


def up() -> None:
    """Everything, from nothing; the remains of an earlier lab that broke go first.

    Raises:
        AssertionError: a part did not come up in time; everything is taken down again.
    """
    with place.locked():
        if whole():
            return say("the lab is up already")
        if place.STATE.exists():
            say("clearing the remains of a lab that broke")
            clear()
        image.root()
        packages.dependencies()
        try:
            stage.start()
            image.shared()
            provision.secrets_of_this_lab()
            rendered.render()
            say("booting " + ", ".join(host.name for host in HOSTS))
            with ThreadPoolExecutor(len(HOSTS)) as pool:
                for booted in [pool.submit(container.boot, host, provision.filler(host), provision.binds(host)) for host in HOSTS]:
                    booted.result()
            stage.start_cloud()
            provision.finish()
            (place.STATE / "up").touch()
        except BaseException:
            say("not up: taking everything down again; the logs are kept in " + str(place.kept_logs()))
            clear()
            raise
        return say("up; script/lab status shows it, script/lab shell gateway goes in")


def whole() -> bool:
    """Every part of it runs."""
    return (place.STATE / "up").exists() and all(place.noted(name) for name in (*stage.PROGRAMS, *(host.name for host in HOSTS)))


def down() -> None:
    """Take away whatever there is, by the records."""
    with place.locked():
        if not place.STATE.exists() and not cgroups.named():
            return say("there is no lab here")
        clear()
        return say("down")


def clear() -> None:
    """Everything the records and the control groups know of; works on a whole lab and on any part of one."""
    with suppress(AssertionError):
        place.end("cloud")  # first, so that no instance is started meanwhile
    hosts = {host.name for host in place.recorded()} | (cgroups.named() - set(stage.PROGRAMS))
    container.halt(sorted(hosts))
    for name in reversed(stage.PROGRAMS):
        stage.stop(name)
    cgroups.drop_all()
    shutil.rmtree(place.cache() / "hosts", ignore_errors=True)
    shutil.rmtree(place.STATE, ignore_errors=True)


def status() -> dict[str, Any]:
    """What there is, for people and programs."""
    with suppress(OSError, wan.Refused):
        show = wan.order(place.CONTROL, "show")
        return {
            "up": whole(),
            "hosts": [
                {
                    "name": host.name,
                    "site": host.site,
                    "address": host.address,
                    "cpus": host.cpus,
                    "running": place.noted(host.name) is not None,
                    "cut": bool({host.name, host.site} & set(show["cut"])),
                    "load1": container.load1(host.name),
                }
                for host in place.recorded()
            ],
            "cut": show["cut"],
            "round_trips_ms": show["round_trips_ms"],
            "programs": {name: place.noted(name) for name in stage.PROGRAMS},
        }
    return {"up": False, "hosts": [], "cut": [], "round_trips_ms": {}, "programs": {}}
