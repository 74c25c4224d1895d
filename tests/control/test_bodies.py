from __future__ import annotations

import json

import pytest

from burstd.control import bodies
from burstd.errors import AskOperator
from burstd.model.fleet import Pause
from burstd.model.orders import DrainInstance, ScaleTo, SetPause


def test_a_full_body_becomes_the_order() -> None:
    body = {"count": 3, "owner": "anna", "reason": "the sale", "seconds": 7200}
    assert bodies.scale(json.dumps(body).encode()) == ScaleTo(3, "anna", "the sale", 7200.0)
    assert bodies.pause(b'{"direction": "in", "owner": "anna", "reason": "why"}') == SetPause(Pause.IN, "anna", "why")
    assert bodies.drain(b'{"name": "burst-1", "owner": "anna", "reason": "why"}') == DrainInstance("burst-1", "anna", "why")


def test_what_is_left_out_has_a_default() -> None:
    assert bodies.scale(b'{"count": 0}') == ScaleTo(0, bodies.ANONYMOUS, "", None)
    assert bodies.scale(b'{"count": 1, "seconds": null, "owner": null}') == ScaleTo(1, bodies.ANONYMOUS, "", None)
    assert bodies.pause(b'{"direction": "both"}') == SetPause(Pause.BOTH, bodies.ANONYMOUS, "")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("", "body:"),
        ("{", "body:"),
        ("[]", "body:"),
        ("3", "body:"),
        ("null", "body:"),
        ("\xff", "body:"),
        ("[" * 8000, "body:"),
        ('{"count": NaN}', "body:"),
        ('{"count": 1, "seconds": Infinity}', "body:"),
        ('{"count": 1, "count": 2}', "body:"),
        ('{"count": ' + "9" * 5000 + "}", "body:"),
        ("{}", "count: missing"),
        ('{"count": -1}', "count: -1:"),
        ('{"count": 1.0}', "count: 1.0:"),
        ('{"count": true}', "count: true:"),
        ('{"count": "3"}', 'count: "3":'),
        ('{"count": null}', "count: null:"),
        ('{"count": [3]}', "count: [3]:"),
        ('{"count": ' + "9" * 4000 + "}", "count: 99999"),
        ('{"count": 1, "seconds": 0}', "seconds: 0:"),
        ('{"count": 1, "seconds": -5}', "seconds: -5:"),
        ('{"count": 1, "seconds": 1e400}', "seconds: Infinity:"),
        ('{"count": 1, "seconds": 1e12}', "seconds: 1000000000000.0:"),
        ('{"count": 1, "seconds": true}', "seconds: true:"),
        ('{"count": 1, "seconds": "2h"}', 'seconds: "2h":'),
        ('{"count": 1, "owner": 5}', "owner: 5:"),
        ('{"count": 1, "reason": "a\\nb"}', 'reason: "a\\nb":'),
        ('{"count": 1, "reason": "\\u001b[2J"}', 'reason: "\\u001b[2J":'),
        ('{"count": 1, "reason": "\\ud800"}', 'reason: "\\ud800":'),
        ('{"count": 1, "reason": "' + "x" * 300 + '"}', 'reason: "xxx'),
        ('{"count": 1, "force": true}', '"force": unknown key'),
    ],
    ids=lambda value: value[:40],
)
def test_a_body_that_is_not_right_is_refused_in_one_line_that_names_the_key(body: str, names: str) -> None:
    with pytest.raises(AskOperator) as refused:
        bodies.scale(body.encode("latin-1"))
    message = str(refused.value)
    assert message.startswith(names)
    assert "expected" in message
    assert "\n" not in message
    assert len(message) < 250


@pytest.mark.parametrize("direction", ['"none"', '"up"', "null", "1", '["in"]'])
def test_a_pause_needs_a_direction(direction: str) -> None:
    with pytest.raises(AskOperator, match=r'^direction: .*expected "in", "out" or "both"$'):
        bodies.pause(f'{{"direction": {direction}}}'.encode())


@pytest.mark.parametrize("body", ["{}", '{"name": ""}', '{"name": "  "}', '{"name": 3}'])
def test_a_drain_needs_a_name(body: str) -> None:
    with pytest.raises(AskOperator, match=r"^name: .*expected"):
        bodies.drain(body.encode())
