from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from burstd.model.content import PRIVATE_PLACE, PUBLIC_PLACE, HostKey, MirrorAnswer, MirrorTarget, MirrorView, TargetState
from burstd.model.faults import Fault, FaultKind

TARGET = MirrorTarget("10.0.0.7", "ssh-ed25519 AAAA")
AWAY = Fault("mirror", FaultKind.UNREACHABLE, "it gave no answer")
SYNCED, RUNNING, DARK = "synced", "running", "dark"
INTERVAL, PATIENCE, HORIZON = 10.0, 70.0, 200.0


def after(*answers: str) -> MirrorView:
    """The view after these, one every interval: SYNCED or RUNNING, DARK: no answer, other text: why it is held."""
    view = MirrorView(told=(TARGET,))
    for number, each in enumerate(answers):
        if each == DARK:
            view = view.failed(AWAY)
            continue
        held = "" if each in {SYNCED, RUNNING} else each
        state = TargetState(TARGET.address, "active", synced=each == SYNCED)
        answer = MirrorAnswer(None if held else f"token-{number}", {TARGET.address: state}, 100, held)
        view = view.answered(answer, (TARGET,), number * INTERVAL, PATIENCE, HORIZON)
    return view


def test_a_token_proves_the_content_from_the_end_of_the_first_run_on() -> None:
    view = after(RUNNING, RUNNING, SYNCED, RUNNING, SYNCED)
    assert [view.complete(f"token-{number}", TARGET) for number in range(5)] == [False, False, True, True, True]
    assert not view.complete("token-9", TARGET)
    assert not view.complete("token-4", MirrorTarget("10.0.0.7", "ssh-ed25519 BBBB"))  # another machine under that address


def test_what_serves_the_newest_token_is_not_behind() -> None:
    view = after(SYNCED, SYNCED, SYNCED)
    assert view.lag("token-2", TARGET, now=500.0) == 0
    assert view.lag("token-1", TARGET, now=25.0) == 5
    assert view.lag("token-0", TARGET, now=25.0) == 15


def test_a_token_that_came_with_another_first_run_proves_no_more_than_the_last_one_before_that() -> None:
    view = after(SYNCED, SYNCED, RUNNING, RUNNING, SYNCED)
    assert view.lag("token-3", TARGET, now=45.0) == view.lag("token-1", TARGET, now=45.0) == 25
    assert view.lag("token-4", TARGET, now=45.0) == 0
    assert view.lag("token-4", None, now=45.0) == 45  # nothing is pushed to it


def test_a_token_that_nobody_knows_is_older_than_all_that_are_known() -> None:
    assert after(SYNCED, SYNCED).lag("of another time", TARGET, now=100.0) == 100
    assert after().lag("of another time", TARGET, now=100.0) == 0


def test_tokens_are_remembered_for_a_while_and_the_last_two_for_ever() -> None:
    view = after(*[SYNCED] * 40)
    assert view.tokens[0].text == "token-19"
    late = view.answered(MirrorAnswer("late", {}, 100), (), 10_000.0, PATIENCE, HORIZON)
    assert [each.text for each in late.tokens] == ["token-39", "late"]


def test_it_is_steady_from_its_first_answer_on_until_there_is_a_gap_or_a_hold() -> None:
    assert after().steady_since is None
    assert after(SYNCED, SYNCED).steady_since == 0
    assert after(SYNCED, DARK, SYNCED).steady_since == 0  # one exchange that fails is no gap
    assert after(SYNCED, *[DARK] * 8, SYNCED).steady_since == 90
    assert after(SYNCED, "many are gone").steady_since is None
    assert after(SYNCED, "many are gone", SYNCED).steady_since == 20


def test_new_tokens_come_while_it_answers_and_is_not_held() -> None:
    assert [after(*each).flows for each in ((), (SYNCED,), (SYNCED, DARK), (SYNCED, "held"), (SYNCED, DARK, SYNCED))] == [
        False, True, False, False, True
    ]  # fmt: skip


def test_time_in_which_nobody_could_catch_up_does_not_count() -> None:
    view = after(SYNCED, *[DARK] * 8, SYNCED)
    assert view.overdue(10.0, now=100.0) == 10
    assert view.overdue(95.0, now=100.0) == 5
    assert after("held").overdue(10.0, now=100.0) == 0


@given(st.lists(st.sampled_from([SYNCED, RUNNING, DARK, "held"]), max_size=40), st.integers(0, 40))
def test_what_is_behind_never_serves_a_token_that_is_newer_than_the_one_before(answers: list[str], number: int) -> None:
    view = after(*answers)
    now = len(answers) * INTERVAL
    lags = [view.lag(each.text, TARGET, now) for each in view.tokens]
    assert lags == sorted(lags, reverse=True)
    assert view.lag(f"token-{number}", TARGET, now) <= (now - view.tokens[0].at if view.tokens else 0)
    proofs = [view.complete(each.text, TARGET) for each in view.tokens]
    assert proofs == sorted(proofs)  # once proven, proven by every later one


def test_a_host_key_goes_into_its_places_as_yaml_reads_it() -> None:
    key = HostKey('-----BEGIN-----\nab"c\\d\n-----END-----\n', "ssh-ed25519 AAAA")
    assert key.put_into(f'a: "{PRIVATE_PLACE}"\nb: "{PUBLIC_PLACE}"\n') == (
        'a: "-----BEGIN-----\\nab\\"c\\\\d\\n-----END-----\\n"\nb: "ssh-ed25519 AAAA"\n'
    )
    assert key.put_into(None) is None
    assert "BEGIN" not in repr(key)
