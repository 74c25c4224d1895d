"""What the API tells of the content's mirror: the whole, and its part of each instance. Pure; host keys are nowhere."""

from __future__ import annotations

from typing import Any

from burstd.model.content import MirrorView
from burstd.model.fleet import Instance
from burstd.model.snapshot import Snapshot

Document = dict[str, Any]


def content(after: Snapshot) -> Document:
    """The mirror as it was when the cycle looked; without one every key is null but `enabled`."""
    view = after.mirror
    known = view or MirrorView()
    told = known.told or ()
    fault = known.fault
    return {
        "enabled": view is not None,
        "held": known.held or None,
        "files": known.files,
        "targets": len(told) if view else None,
        "behind": sum(not (state := known.states.get(each.address)) or not state.synced for each in told) if view else None,
        "answer_age_seconds": None if known.answered_at is None else round(after.now - known.answered_at, 3),
        "token_age_seconds": round(after.now - known.tokens[-1].at, 3) if known.tokens else None,
        "fault": fault and {"peer": fault.peer, "kind": str(fault.kind), "text": fault.text},
    }


def instance_content(after: Snapshot, instance: Instance) -> Document:
    """What is known of one instance's content: null where nobody asks, or nobody knows."""
    state = after.mirror.states.get(instance.address or "") if after.mirror else None
    lag = after.content_lag(instance)
    return {
        "content_lag_seconds": None if lag is None else round(lag, 3),
        "content_synced": state and state.synced,
        "content_delays": state and state.delays,
        "content_error": (state and state.error) or None,
    }
