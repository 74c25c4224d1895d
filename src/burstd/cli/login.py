"""Who types: the name that an order carries, so that the next operator knows whom to ask."""

from __future__ import annotations

import getpass
import os


def login() -> str:
    """The operator's login, the one before sudo; the user id where it has no name."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
