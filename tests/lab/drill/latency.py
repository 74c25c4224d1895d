"""Latency: `burstd ping` shows the WAN's round trips, as the article measured them."""

from __future__ import annotations

import json
from typing import Final

from tests.lab import place, wan
from tests.lab.drill import gateway
from tests.lab.drill.report import Report
from tests.lab.hosts import AMSTERDAM, DUBLIN, GATEWAY, OSLO

PROOF: Final = "latency"
WITHIN: Final = 2.0
"""Milliseconds."""

SITES: Final = {"core-oslo-01": OSLO, "core-oslo-02": OSLO, "replica": AMSTERDAM, "dublin": DUBLIN}
"""Where what burstd pings stands, by its own names for it."""


def prove(report: Report) -> None:
    """Takes some seconds."""
    trips = wan.order(place.CONTROL, "show")["round_trips_ms"]
    targets = {each["name"]: each for each in json.loads(gateway.burstd("ping", "--count", "20", "--json"))["targets"]}
    for name, site in SITES.items():
        true = trips["-".join(sorted((GATEWAY, site)))]
        # The least of twenty: a shared machine's CPU adds to some of them, the WAN's delay to all.
        measured = targets[name]["min_ms"]
        told = f"{measured} ms (median {targets[name]['median_ms']}) for {true:g} ms"
        report.note(PROOF, f"burstd ping shows {name}'s round trip", told, ok=measured is not None and abs(measured - true) <= WITHIN)
