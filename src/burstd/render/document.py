"""One file of a neighbour's, where several belong together: its text, and where it belongs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A file that somebody installs.

    Attributes:
        name: of the file, where it is written into a folder.
        place: where it belongs, in words: host and path.
        text: the whole of it.
    """

    name: str
    place: str
    text: str
