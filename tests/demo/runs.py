"""A small run made by hand, for whatever looks at timelines."""

from __future__ import annotations

from collections import Counter

from burstd.demo.timeline import Happening, Moment, Timeline
from burstd.demo.traffic import Second

SECONDS = 20


def run() -> Timeline:
    """Twenty seconds: the load is above 4 from the 5th on, with burstd until the 9th only; an instance comes and goes."""
    timeline = Timeline(crossing=5.5, first_burst=9.0)
    for at in range(SECONDS + 1):
        own, other = (6.0 if 5 <= at < 9 else 2.0), (8.0 if at >= 5 else 2.0)
        instances = {"on_the_way": int(5 <= at < 9), "in_service": int(9 <= at < 15), "leaving": int(15 <= at < 18)}
        timeline.moments.append(Moment(float(at), 40, "plateau", {"with": own, "without": other}, instances))
    timeline.traffic = {
        "with": [Second(float(at), 200, 100 if at > 9 else 0, ms=[10.0] * 9 + [100.0]) for at in range(1, SECONDS + 1)],
        "without": [Second(float(at), 200, ms=[200.0]) for at in range(1, SECONDS + 1)],
    }
    for when, text in ((5.5, "intended: load 6 is above 4"), (6.0, "booting: the cloud has made it"), (18.0, "gone: terminated")):
        timeline.happenings.append(Happening(when, "instance", "burst-1", text))
    return timeline


def failures(**count: int) -> Counter[str]:
    """Errors of one second by what went wrong."""
    return Counter(count)
