"""The `lab` cloud: a libcloud driver for the hosts that `script/lab` boots, so that burstd buys there as it buys anywhere else.

HTTP and JSON, over the lab's own WAN. It is of no use outside the lab, which comes with the source (docs/lab.md).
"""

from __future__ import annotations


def register() -> None:
    """Make the driver known to libcloud as `lab`; may be called again. Imports libcloud, which takes a tenth of a second."""
    from libcloud.compute.providers import DRIVERS, set_driver

    if "lab" not in DRIVERS:
        set_driver("lab", "burstd.adapters.lab.driver", "LabNodeDriver")  # type: ignore[arg-type] # names, not modules
