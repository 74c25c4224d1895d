"""`python -m burstd`: the command `burstd`, where its script is not on the PATH."""

from __future__ import annotations

from burstd.cli import main

if __name__ == "__main__":
    main()
