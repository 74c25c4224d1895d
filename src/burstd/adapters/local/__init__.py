"""The embedded `local` cloud: a real libcloud driver whose machines are processes on this host, each on a loopback address of its own.

For the demo, the drill and the tests: what a cloud does to burstd (boot delay, tags, client tokens, capacity, machines that die) with
nothing to pay. It never serves anybody outside this host. Under systemd its machines live in the daemon's control group, so a unit
with KillMode=control-group or mixed takes them along when it stops; KillMode=process leaves them as a cloud would.
"""

from __future__ import annotations


def register() -> None:
    """Make the driver known to libcloud as `local`; may be called again. Imports libcloud, which takes a tenth of a second."""
    from libcloud.compute.providers import DRIVERS, set_driver

    if "local" not in DRIVERS:
        set_driver("local", "burstd.adapters.local.driver", "LocalNodeDriver")  # type: ignore[arg-type] # names, not modules
