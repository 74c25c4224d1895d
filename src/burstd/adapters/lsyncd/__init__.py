"""The core's mirror of the content: lsyncd units there, kept by a program of ours that burstd asks over ssh."""

from burstd.adapters.lsyncd.core import Core, mirror_program
from burstd.adapters.lsyncd.host_keys import new_host_key
from burstd.adapters.lsyncd.worker import LsyncdMirror

__all__ = ["Core", "LsyncdMirror", "mirror_program", "new_host_key"]
