from __future__ import annotations

import io
import re
from dataclasses import replace

import click
import pytest
from rich.console import Console

from burstd.cli.summary import span, summarize
from burstd.cli.text import explain_lines, plan_lines, status_lines, table_lines
from burstd.cli.view import bar, view
from burstd.control import documents
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Orders
from burstd.model.plans import Plan, Report
from burstd.model.policy import BackendPolicy, Mode, RoutingPolicy
from burstd.model.turn import Turn
from tests.turns import NOW, POLICY, quiet_turn, rich_turn


def status(turn: Turn, age: float = 1.0) -> documents.Document:
    return documents.status(turn, POLICY) | {"age_seconds": age}


def drawn(document: documents.Document, width: int = 130, trouble: str = "") -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True, force_terminal=False)
    console.print(view(document, trouble))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plain(document: documents.Document) -> str:
    return click.unstyle("\n".join(status_lines(document)))


@pytest.mark.parametrize("turn", [quiet_turn(), rich_turn()], ids=["quiet", "rich"])
@pytest.mark.parametrize("width", [40, 80, 130])
def test_the_view_fits_any_terminal(turn: Turn, width: int) -> None:
    lines = drawn(status(turn), width).splitlines()
    assert len(lines) > 10
    assert {len(line) for line in lines} == {width}


def test_the_view_shows_what_the_text_shows() -> None:
    picture = drawn(status(rich_turn()), width=200)
    summary = summarize(status(rich_turn()))
    words = [summary.sentence, *summary.troubles, *(cell.text for _, cell in summary.facts)]
    words += [cell.text for table in summary.tables for row in table.rows for cell in row]
    assert [each for each in words if each not in picture] == []


def test_the_same_document_gives_the_same_picture() -> None:
    assert drawn(status(rich_turn())) == drawn(status(rich_turn()))


def test_trouble_with_the_daemon_stands_in_the_picture_of_what_was_seen_last() -> None:
    picture = drawn(status(quiet_turn()), trouble="the daemon is away")
    assert "the daemon is away" in picture
    assert quiet_turn().sentence in picture


@pytest.mark.parametrize(
    ("value", "picture"),
    [(None, "-"), (0.0, "░░░░│"), (2.0, "██░░│"), (4.0, "████│"), (6.0, "████│██"), (100.0, "████│████")],
)
def test_a_bar_has_the_threshold_in_its_middle(value: float | None, picture: str) -> None:
    assert bar(value, 4.0, width=8).plain == picture


def test_a_bar_counts_per_cpu_where_the_threshold_does() -> None:
    document = status(quiet_turn(load=6.0))
    document["load"]["per_cpu"] = True
    assert "1.50 of 4" in drawn(document)
    document["cores"][0]["cpus"] = None
    assert "- of 4" in drawn(document)


def test_a_pool_shows_its_price_where_it_is_known() -> None:
    pools = summarize(status(quiet_turn())).tables[-1]
    header, dublin, oslo = map(click.unstyle, table_lines(pools))
    end = header.index("PRICE") + len("PRICE")
    assert dublin[:end].endswith("0.0228 EUR/h")
    assert oslo[:end].endswith(" -")


def test_columns_are_aligned_and_numbers_end_where_their_headers_end() -> None:
    cores = summarize(status(rich_turn())).tables[0]
    header, first, _ = map(click.unstyle, table_lines(cores))
    assert first.index("6.50") + len("6.50") == header.index("LOAD") + len("LOAD")
    assert first.index("UP") == header.index("STATUS")


def test_a_status_that_is_old_is_marked() -> None:
    tones = [dict(summarize(status(quiet_turn(), age)).facts)["cycle"].tone for age in (5.0, 100.0)]
    assert tones == ["dim", "bad"]


def test_being_blind_is_said_and_marked() -> None:
    turn = quiet_turn()
    fault = Fault("haproxy", FaultKind.UNREACHABLE, "refused")
    blind = replace(turn, snapshot=replace(turn.snapshot, gateway=fault, cores={}), decision=replace(turn.decision, signal=None))
    facts = dict(summarize(status(blind)).facts)
    assert (facts["load"].text, facts["load"].tone) == ("unknown (one more above 4, one less below 2)", "bad")
    assert (facts["traffic"].text, facts["traffic"].tone) == ("unknown: HAProxy cannot be read", "bad")
    assert "haproxy: refused" in plain(status(blind))


def test_a_queue_is_marked() -> None:
    turn = quiet_turn()
    assert not isinstance(turn.snapshot.gateway, Fault)
    view = turn.snapshot.gateway
    queued = replace(turn, snapshot=replace(turn.snapshot, gateway=replace(view, backends=(replace(view.backends[0], queued=7),))))
    queued = replace(queued, decision=replace(turn.decision, core_rate=None))
    traffic = dict(summarize(status(queued)).facts)["traffic"]
    assert (traffic.text, traffic.tone) == ("0.0 requests/s, 7 queued", "warn")


def test_a_quiet_fleet_shows_no_empty_sections() -> None:
    text = plain(status(quiet_turn()))
    assert "INSTANCE" not in text
    assert "wrong" not in text
    assert "override" not in text
    assert "nothing to do" in "\n".join(plan_lines(documents.plan(quiet_turn(), POLICY)))


def test_drains_that_were_ordered_are_shown() -> None:
    turn = quiet_turn()
    turn = replace(turn, snapshot=replace(turn.snapshot, orders=Orders(drains=frozenset({"burst-2", "burst-1"}))))
    assert "draining   burst-1, burst-2" in plain(status(turn))


def test_an_instance_that_outstays_its_deadline_says_by_how_much() -> None:
    turn = rich_turn()
    late = replace(turn, snapshot=replace(turn.snapshot, now=NOW + 100))
    assert "syncing for 2m40s, 40s too long" in "\n".join(explain_lines(documents.explain(late, POLICY)))
    assert "-40s" in plain(status(late))


def test_explain_says_when_nothing_keeps_an_instance_from_going() -> None:
    document = documents.explain(quiet_turn(), POLICY)
    document["scale_in"]["blocked_by"] = []
    assert "Nothing keeps an instance from going" in "\n".join(explain_lines(document))


def test_a_dry_runs_plan_is_shown_as_planned() -> None:
    turn = replace(rich_turn(), report=Report(), plan=Plan(rich_turn().plan.actions))
    assert "planned  create" in "\n".join(plan_lines(documents.plan(turn, POLICY)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (0.4, "0s"), (59.6, "1m"), (90, "1m30s"), (-5, "-5s"), (3599, "59m59s"), (3629, "1h"), (90061, "1d1h1m")],
)
def test_a_span_is_as_exact_as_people_want_it(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_the_weights_of_several_backends_are_told_by_name() -> None:
    document = status(rich_turn())
    (main,) = document["gateway"]["backends"]
    assert "weight 40 each" in plain(document)
    document["gateway"]["backends"] = [main, {**main, "name": "static_cluster", "burst_weight": 80}]
    assert "weight 40 in app_cluster, 80 in static_cluster" in plain(document)


def test_with_spillover_there_is_no_weight_to_tell() -> None:
    spilling = replace(POLICY, routing=RoutingPolicy(Mode.SPILLOVER, (BackendPolicy("app_cluster", "app_cloud"),)))
    told = plain(documents.status(rich_turn(), spilling) | {"age_seconds": 1.0})
    assert "spilt over to burst servers" in told
    assert " each" not in told
    why = click.unstyle("\n".join(explain_lines(documents.explain(rich_turn(), spilling))))
    assert "How requests are routed\n  spillover: " in why
    assert "Why weight" not in why


def test_the_cost_and_the_budget_are_shown_and_marked() -> None:
    facts = dict(summarize(status(rich_turn())).facts)
    assert facts["cost"].text == "0.023 EUR an hour, 1.25 today, 8.50 this month; unknown in oslo (set price and currency)"
    assert facts["budget"] == (
        "1.25 of 1 (soft) and 12 (hard) EUR today; 8.50 of 100 (soft) EUR this month; scale-in waits a minute at most",
        "warn",
    )
    assert {"cost", "budget"} & set(dict(summarize(status(quiet_turn())).facts)) == set()
    document = status(rich_turn())
    document["budget"] |= {"used_up": True, "month": {"period": "2023-11", "spent": 8.5, "soft": None, "hard": None}}
    assert dict(summarize(document).facts)["budget"] == ("1.25 of 1 (soft) and 12 (hard) EUR today; nothing is created", "bad")


def test_explain_says_what_it_costs_and_until_when_an_instance_is_paid() -> None:
    document = documents.explain(rich_turn(), POLICY)
    document["instances"][0]["paid_until"] = NOW
    told = click.unstyle("\n".join(explain_lines(document)))
    assert "What it costs\n  0.023 EUR an hour, 1.25 today, 8.50 this month\n  unknown in oslo" in told
    assert re.search(r"\(paid until \d\d:\d\d\)", told)
    assert "What it costs" not in "\n".join(explain_lines(documents.explain(quiet_turn(), POLICY)))
