"""The domain's words as frozen dataclasses: pure data, no I/O, no clock, nothing but the standard library.

Times are floats: seconds on the daemon's own timeline, which is anchored to the wall clock once, at start, and then only follows
the monotonic clock (see `burstd.ports.Clock`). So they can be stored, compared after a restart, and never jump while deciding.
"""
