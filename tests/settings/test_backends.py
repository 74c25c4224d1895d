"""Several backends in the settings: each with a name of its own, and what a further one leaves open is the main one's."""

from __future__ import annotations

from pathlib import Path

import pytest

from burstd.model.policy import BackendPolicy
from tests.settings.written import MINIMAL, loaded, refused


def haproxy(keys: str) -> str:
    return f"[haproxy]\n{keys}\n{MINIMAL}"


def test_what_a_further_backend_leaves_open_is_the_main_ones(tmp_path: Path) -> None:
    further = '{ name = "static", port = 8081 }, { name = "media", burst_weight = "auto", maxconn = 4 }'
    assert loaded(tmp_path, haproxy(f"burst_weight = 40\nmaxconn = 16\nfurther = [{further}]")).policy("").routing.backends == (
        BackendPolicy("app_cluster", "app_cluster", None, 40, 16),
        BackendPolicy("static", "static", 8081, 40, 16),
        BackendPolicy("media", "media", None, None, 4),
    )


@pytest.mark.parametrize(
    ("keys", "first", "second"),
    [
        ('further = [{ name = "app_cluster" }]', "haproxy.backend", "haproxy.further[0].name"),
        ('further = [{ name = "a" }, { name = "a" }]', "haproxy.further[0].name", "haproxy.further[1].name"),
        ('mode = "spillover"\noverflow = "app_cluster"', "haproxy.backend", "haproxy.overflow"),
        ('mode = "spillover"\nfurther = [{ name = "app_cluster_cloud" }]', "haproxy.further[0].name", "haproxy.overflow"),
        (
            'mode = "spillover"\noverflow = "c"\nfurther = [{ name = "a", overflow = "c" }]',
            "haproxy.overflow",
            "haproxy.further[0].overflow",
        ),
    ],
)
def test_two_backends_of_one_name_are_refused(tmp_path: Path, keys: str, first: str, second: str) -> None:
    (told,) = refused(tmp_path, haproxy(keys))
    assert told.startswith(f"{first} = ")
    assert f" and {second}" in told
    assert told.endswith(": expected a backend of its own for each; rename one of the two")


def test_what_would_overflow_counts_in_spillover_mode_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, haproxy('overflow = "app_cluster"')).haproxy.mode == "weighted"
