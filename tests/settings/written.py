"""Settings as an operator writes them, for the tests to bend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.settings import Settings, load

CORE = """
[[core]]
name = "core-1"
exporter = "http://10.0.0.5:9100/metrics"
"""

POOL = """
[[pool]]
name = "dublin"
driver = "ec2"
image = "ami-1"
size = "t3.small"
"""

MINIMAL = CORE + POOL


def write(folder: Path, content: str | bytes) -> Path:
    """A settings file with this content."""
    path = folder / "burstd.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def loaded(folder: Path, content: str, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file with this content."""
    return load(write(folder, content), environ or {})


def refused(folder: Path, content: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    """The lines with which a file with this content is refused."""
    with pytest.raises(InvalidSettings) as caught:
        load(write(folder, content), environ or {})
    assert all("\n" not in line and ": expected " in line for line in caught.value.problems)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return list(caught.value.problems)
