"""What `burstd ping` goes to, by the settings alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from burstd.settings import load
from burstd.wiring.round_trips import destinations
from tests.site import as_toml


@pytest.mark.parametrize(
    ("exporter", "place"),
    [
        ("http://10.0.0.5:9100/metrics", ("10.0.0.5", 9100)),
        ("http://10.0.0.5/metrics", ("10.0.0.5", 80)),
        ("https://10.0.0.5/metrics", ("10.0.0.5", 443)),
        ("HTTPS://[2001:db8::5]/metrics", ("2001:db8::5", 443)),
    ],
)
def test_a_core_without_an_address_is_measured_at_its_exporters_port(tmp_path: Path, exporter: str, place: tuple[str, int]) -> None:
    path = tmp_path / "burstd.toml"
    path.write_text(as_toml({"fleet": {"max": 0}, "core": [{"name": "core-1", "exporter": exporter}]}))
    assert [each.place for each in destinations(load(path, {}), [])] == [place]
