"""burstd: own the core, rent the spike.

An autoscaling controller that runs beside HAProxy. This package's root holds the version alone, so that importing it costs
nothing.
"""

__version__ = "0.1.0"
