"""What holds for every test of properties: time decides nothing, and CI tries the same examples each time."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,  # there, red must mean the change and not the luck of the draw; new examples are tried on desks
    print_blob=True,
)
settings.load_profile("house")
