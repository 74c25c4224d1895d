"""The web site's content: a thousand files, each of which can be told to be whole from its name alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

COUNT: Final = 1000
FOLDER: Final = "pages"


def name(number: int) -> str:
    """The file's name."""
    return f"page-{number:04d}.txt"


def content(number: int) -> str:
    """What it says: its own name, and a text that only this page has. The checksum of wrk's script is the sum over `number`."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return f"{name(number)}\n{number * 7919 % 1000003}\n{digest * 8}\n"


def write(root: Path) -> None:
    """All of them."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        (root / FOLDER / name(number)).write_text(content(number))
