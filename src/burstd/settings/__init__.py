"""Settings: one TOML file and `BURSTD_*` over it, checked whole, turned into the frozen policy of `burstd.model.policy`.

It never contacts a peer and never reads a secret file: that is for the wiring. Importing it loads pydantic, which is slow: import
it where it is used.
"""

from __future__ import annotations

from burstd.settings.loading import DEFAULT_FILE, load
from burstd.settings.sections import Settings

__all__ = ["DEFAULT_FILE", "Settings", "load"]
