"""The content on the instances: who gets it pushed, when it is whole, and when it has become too old to be served.

What proves it is a token that the core writes and the instance serves; its place among the tokens says what else is there. A mirror that
is down or held takes no instance out by itself: it says nothing about any of them.
"""

from __future__ import annotations

from burstd.model.content import MirrorTarget, MirrorView
from burstd.model.faults import Fault
from burstd.model.fleet import MIRRORED, SERVING, Instance, Phase
from burstd.model.plans import SetTargets
from burstd.plan.draft import Draft


def missing_content(draft: Draft, instance: Instance) -> str:
    """What keeps an instance from serving all of the content, by name; empty where it has it, or nobody cares for it here."""
    content, view = draft.policy.content, draft.snapshot.mirror
    if content is None or view is None:
        return ""
    target = instance.target
    if target is None:
        return "no ssh host key was recorded for it, so that nothing can be pushed to it"
    served = draft.snapshot.tokens.get(instance.operation)
    if isinstance(served, str) and view.complete(served, target):
        lag = view.lag(served, target, draft.now)
        return "" if lag <= content.max_drift else f"its content is {lag:.0f} s behind the core's"
    return _reason(view, target, served)


def _reason(view: MirrorView, target: MirrorTarget, served: str | Fault | None) -> str:
    """Why its content is not known to be whole: what stands in the way of all before what it says itself."""
    if view.held:
        return f"the mirror is held: {view.held}"
    if view.fault is not None:
        return f"the mirror does not answer: {view.fault.text}"
    state = view.states.get(target.address)
    if state is None:
        return "the core has not been told of it yet"
    if not state.synced:
        return f"the core's first run to it is not over (unit {state.unit})" + (f": {state.error}" if state.error else "")
    if isinstance(served, Fault):
        return f"its content token cannot be read: {served.text}"
    return "its content token is older than the end of the first run to it"


def expel_stale(draft: Draft) -> None:
    """Drain what serves, or stands by, with content that is too old: the oldest first, and no more than one cycle may."""
    content, view, out = draft.policy.content, draft.snapshot.mirror, draft.decision.cores_out
    if content is None or view is None or not view.flows or (out and len(out) >= len(draft.policy.cores)):
        return
    stale = [
        (age, each, why)
        for each in draft.phase(Phase.JOINING, *SERVING)
        if each.by_hand is None and (found := _stale(draft, view, each))
        for age, why in [found]
        if age > content.max_drift
    ]
    draft.stale = {each.name for _, each, _ in stale}
    for _, instance, why in sorted(stale, key=lambda each: -each[0])[: draft.policy.fleet.max_step]:
        draft.expel(draft.fleet[instance.operation], why)
        draft.note(f"{instance.name} is drained: {why}")


def _stale(draft: Draft, view: MirrorView, instance: Instance) -> tuple[float, str] | None:
    """For how long it could have caught up and has not, and the words for it; None where it is not behind."""
    served = draft.snapshot.tokens.get(instance.operation)
    unread = draft.now if instance.unread_since is None else instance.unread_since
    if isinstance(served, Fault):
        if instance.unread_since is None:
            draft.change(instance, unread_since=unread)
        return view.overdue(unread, draft.now), f"its content token has not been readable for {draft.now - unread:.0f} s: {served.text}"
    if served is None:
        return None
    if instance.unread_since is not None:
        draft.change(instance, unread_since=None)
    since = view.missed_since(served, instance.target)
    return None if since is None else (view.overdue(since, draft.now), f"its content is {draft.now - since:.0f} s behind the core's")


def steer_mirror(draft: Draft) -> None:
    """Tell the mirror whom to push to, where that is not what it was told last; and say when it is held, and when it goes on."""
    view, before = draft.snapshot.mirror, draft.snapshot.memory.mirror
    if view is None:
        return
    if view.held and not (before and before.held):
        draft.note(f"the mirror is held, {view.held}: look at the content on the core, then `burstd content release`")
    elif before and before.held and not view.held:
        draft.note("the mirror is no longer held")
    if view.held:
        draft.waiting.append(f"the mirror is held: {view.held}")
    targets = tuple(sorted(each.target for each in draft.phase(*MIRRORED) if each.target))
    if view.told != targets:
        draft.pushes.append(SetTargets(targets))
