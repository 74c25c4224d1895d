"""The checkout that the tests run in: where it is, and what git tracks in it."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@cache
def tracked(pattern: str = "*") -> tuple[Path, ...]:
    """Every tracked file that matches the pathspec and is there, as an absolute path."""
    listing = subprocess.run(["git", "ls-files", "-z", "--", pattern], cwd=ROOT, check=True, capture_output=True, text=True)
    return tuple(path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file())


@cache
def project() -> dict[str, Any]:
    """pyproject.toml, parsed."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def lines_like(pattern: str, *pathspecs: str) -> list[str]:
    """`file:line:text` of every tracked line that matches the extended regular expression."""
    command = ["git", "grep", "--line-number", "--extended-regexp", "-e", pattern, "--", *pathspecs]
    found = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.splitlines()
