from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.errors import InvalidSettings
from burstd.settings.loading import judged
from burstd.settings.places import every_key
from burstd.settings.problems import Written
from tests.settings.written import CORE, MINIMAL, POOL, loaded, refused


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    content = """
[fleet]
min = 9
maxx = 3
poll_interval = true
[load]
scale_in_below = nan
absurd_above = 2
[fleat]
[[core]]
name = "a b"
[control]
mode = "0666"
"""
    environ = {"BURSTD_FOO": "1", "BURSTD_LOG__LEVEL": "loud"}
    keys = [line.partition(":")[0] for line in refused(tmp_path, content, environ)]
    assert keys == [
        "BURSTD_FOO",
        "fleet.poll_interval = true",
        "fleet.maxx",
        "load.scale_in_below = nan",
        'core[0].name = "a b"',
        "core[0].exporter is missing",
        'control.mode = "0666"',
        'log.level = "loud" (from BURSTD_LOG__LEVEL)',
        "fleat",
        "fleet.min = 9 and fleet.max = 4 (the default)",
        "load.absurd_above = 2 and load.scale_out_above = 4 (the default)",
        "pool and fleet.max = 4 (the default)",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("[fleet]\nmin_ = 1\n", "fleet.min_: expected a known key; did you mean fleet.min?"),
        ("[haproxy]\nburst_wait = 1\n", "haproxy.burst_wait: expected a known key; did you mean haproxy.burst_weight?"),
        ("[load]\npoll_interval = 1\n", "load.poll_interval: expected a known key; did you mean fleet.poll_interval?"),
        ("[metric]\nlisten = ''\n", "metric: expected a known key; did you mean metrics?"),
        ("max = 3\n", "max: expected a known key; did you mean fleet.max?"),
        (
            "[load]\nsteps = [{ ratio = 1, count = 1, cuont = 1 }]\n",
            "load.steps[0].cuont: expected a known key; did you mean load.steps[0].count?",
        ),
        (
            "[log]\nzzz = 3\n",
            "log.zzz: expected a known key, one of level, format; take it out, or see docs/configuration.md",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(tmp_path: Path, content: str, line: str) -> None:
    assert refused(tmp_path, content + MINIMAL) == [line]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("fleet", "name", '"Burst"'),
        ("fleet", "name", '"burst-with-a-long-name"'),
        ("fleet", "max", "1001"),
        ("fleet", "max", "true"),
        ("fleet", "max", "2.5"),
        ("fleet", "max", "-1"),
        ("fleet", "max", "inf"),
        ("fleet", "max_step", "0"),
        ("fleet", "poll_interval", "0"),
        ("fleet", "backoff", "nan"),
        ("fleet", "state_dir", '""'),
        ("load", "scale_out_above", "inf"),
        ("load", "scale_out_above", "1" + 400 * "0"),
        ("load", "scale_out_above", "true"),
        ("load", "aggregate", '"median"'),
        ("load", "per_cpu", "3"),
        ("haproxy", "backend", '"app cluster"'),
        ("haproxy", "backend", '"app;quit"'),
        ("haproxy", "backend", r'"app\nquit"'),
        ("haproxy", "burst_weight", "257"),
        ("haproxy", "burst_weight", '"much"'),
        ("haproxy", "burst_weight", "true"),
        ("haproxy", "tolerance", "1"),
        ("haproxy", "maxconn", "-1"),
        ("haproxy", "retries", "1.5"),
        ("haproxy", "socket", '"/' + 107 * "s" + '"'),
        ("control", "mode", "432"),
        ("control", "mode", '"0990"'),
        ("control", "group", '"a b"'),
        ("metrics", "listen", '"9123"'),
        ("metrics", "listen", '"127.0.0.1:70000"'),
        ("metrics", "listen", '"http://127.0.0.1:9123"'),
        ("metrics", "listen", '"[::1:9123"'),
        ("log", "level", '"loud"'),
        ("log", "format", "1"),
    ],
)
def test_a_value_that_its_key_cannot_have_is_refused_with_value_expectation_and_mend(
    tmp_path: Path, section: str, key: str, value: str
) -> None:
    (line,) = refused(tmp_path, f"[{section}]\n{key} = {value}\n{MINIMAL}")
    assert line.startswith(f"{section}.{key} = ")
    assert f"; write for example {key} = " in line


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("core", "name", '"a b"'),
        ("core", "name", "3"),
        ("core", "server", '"web;1"'),
        ("core", "exporter", '"ftp://10.0.0.5/"'),
        ("core", "exporter", '"http://"'),
        ("core", "exporter", '"http://[::1"'),
        ("core", "exporter", '"http://a:99999/"'),
        ("core", "exporter", '"http://a/ b"'),
        ("core", "exporter", '"10.0.0.5:9100"'),
        ("pool", "name", '"a b"'),
        ("pool", "driver", '""'),
        ("pool", "image", r'"a\nb"'),
        ("pool", "size", "3"),
        ("pool", "port", "0"),
        ("pool", "port", "65536"),
        ("pool", "metrics_port", "-1"),
        ("pool", "api_host", '"https://ec2.example.com/"'),
        ("pool", "api_host", '"a b"'),
        ("pool", "api_port", "65536"),
        ("pool", "api_tls", "3"),
        ("pool", "networks", '"net-1"'),
        ("pool", "keypair", "7"),
        ("pool", "security_groups", '"web"'),
        ("pool", "list_deadline", "0"),
        ("pool", "create_deadline", '"soon"'),
        ("pool", "destroy_deadline", "-1"),
        ("pool", "check_path", '"health"'),
        ("pool", "check_path", '"/a b"'),
        ("pool", "check_path", '"/a;b"'),
        ("pool", "check_path", '"/a{b}"'),
        ("pool", "tags", '{ "a b" = "c" }'),
        ("pool", "tags", '{ burstd-owner = "me" }'),
        ("pool", "tags", r'{ a = "b\n" }'),
        ("pool", "tags", "3"),
        ("pool", "user_data", "true"),
        ("pool", "price", "-0.02"),
        ("pool", "price", "true"),
        ("pool", "price", "nan"),
        ("pool", "price", '"cheap"'),
        ("pool", "currency", '"eur"'),
        ("pool", "currency", '"Euro"'),
        ("pool", "currency", '"€"'),
        ("pool", "currency", "3"),
    ],
)
def test_a_value_in_a_list_of_tables_is_refused_by_its_position(tmp_path: Path, table: str, key: str, value: str) -> None:
    others = {"core": {"name": '"a"', "exporter": '"http://a/"'}, "pool": {"name": '"p"', "driver": '"d"', "image": '"i"', "size": '"s"'}}
    body = "\n".join(f"{name} = {text}" for name, text in (others[table] | {key: value}).items())
    (line,) = refused(tmp_path, f"{MINIMAL}[[{table}]]\n{body}\n")
    assert line.startswith(f"{table}[1].{key} = ")
    assert f"; write for example {key} = " in line


PAIRS = {
    "min above max": ("[fleet]\nmin = 5\n", "fleet.min = 5 and fleet.max = 4 (the default)"),
    "min and standby above max": ("[fleet]\nmin = 3\nstandby = 2\n", "fleet.min = 3 and fleet.standby = 2 and fleet.max = 4 (the default)"),
    "a standby beside the overflow": (
        '[fleet]\nstandby = 1\n[haproxy]\nmode = "spillover"\n',
        'fleet.standby = 1 and haproxy.mode = "spillover"',
    ),
    "backoff above its bound": ('[fleet]\nbackoff = "31m"\n', 'fleet.backoff = "31m" and fleet.backoff_max = "30m" (the default)'),
    "samples stale before the next": (
        '[fleet]\npoll_interval = "21s"\n',
        'fleet.poll_interval = "21s" and load.stale_after = "20s" (the default)',
    ),
    "healthz never healthy": ("[fleet]\nstale_cycle = 5\n", 'fleet.stale_cycle = 5 and fleet.poll_interval = "5s" (the default)'),
    "no room between out and in": ("[load]\nscale_in_below = 4\n", "load.scale_in_below = 4 and load.scale_out_above = 4 (the default)"),
    "every load absurd": ("[load]\nabsurd_above = 4\n", "load.absurd_above = 4 and load.scale_out_above = 4 (the default)"),
    "ratio not rising": ("[load]\nsteps = [{ ratio = 2, count = 1 }, { ratio = 2, count = 2 }]\n", "load.steps[0] and load.steps[1]"),
    "count falling": ("[load]\nsteps = [{ ratio = 1, count = 2 }, { ratio = 2, count = 1 }]\n", "load.steps[0] and load.steps[1]"),
    "target not below the threshold": (
        "[haproxy]\ntarget_load = 4\n",
        "haproxy.target_load = 4 and load.scale_out_above = 4 (the default)",
    ),
    "core named like an instance": ('[fleet]\nname = "core"\n', 'core[0].name = "core-1" and fleet.name = "core"'),
    "one name for two cores": (CORE, 'core[0].name = "core-1" and core[1].name = "core-1"'),
    "one server for two cores": (
        CORE.replace("core-1", "b") + 'server = "core-1"\n',
        'core[0].name = "core-1" and core[1].server = "core-1"',
    ),
    "one name for two pools": (POOL, 'pool[0].name = "dublin" and pool[1].name = "dublin"'),
    "a proxy twice": (
        POOL.replace("dublin", "x") + 'proxy = "http://a:1"\nproxy_file = "b"\n',
        "pool[1].proxy and pool[1].proxy_file",
    ),
    "a price in no currency": (
        POOL.replace("dublin", "x") + "price = 0.0228\n",
        "pool[1].price = 0.0228 and pool[1].currency",
    ),
    "an argument twice": (
        POOL.replace("dublin", "x") + 'args = { key = "k" }\nsecret_files = { key = "/k" }\n',
        "pool[1].args.key and pool[1].secret_files.key",
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_an_impossible_pair_is_refused(tmp_path: Path, pair: str) -> None:
    content, keys = PAIRS[pair]
    (line,) = refused(tmp_path, MINIMAL + content if content.lstrip().startswith("[[") else content + MINIMAL)
    assert line.startswith(f"{keys}: expected ")


def test_without_a_core_server_there_is_nothing_to_decide_by(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, POOL)
    assert line.startswith("core: expected at least one core server")


def test_a_fleet_of_none_needs_no_pool(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[fleet]\nmax = 0\n" + CORE).pool == ()
    (line,) = refused(tmp_path, CORE)
    assert line.startswith("pool and fleet.max = 4 (the default): expected a place to get instances from")


def test_with_a_fixed_weight_the_target_load_does_not_matter(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[load]\nscale_out_above = 3.0\n[haproxy]\nburst_weight = 10\n" + MINIMAL).haproxy.burst_weight == 10


def test_a_pair_with_a_wrong_key_in_it_is_not_told_twice(tmp_path: Path) -> None:
    assert len(refused(tmp_path, "[fleet]\nmin = 5\nmax = 'x'\n" + MINIMAL)) == 1
    assert len(refused(tmp_path, "[load]\nsteps = [3, { ratio = 1, count = 1 }]\n" + MINIMAL)) == 1
    assert len(refused(tmp_path, "core = 3\n" + POOL)) == 1


def test_a_section_of_the_wrong_form_is_told_how_to_write_it(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "fleet = 3\n" + MINIMAL)
    assert line == "fleet: expected a table; write it as [fleet]"
    (line,) = refused(tmp_path, "[load]\nsteps = 3\n" + MINIMAL)
    assert line.endswith("write for example steps = [{ ratio = 1.5, count = 2 }]")


@pytest.mark.parametrize("odd", ["a\nb", "a\x1b[31m", "a\u2028b", "a\x85b"])
def test_nothing_that_is_shown_breaks_the_line_or_the_terminal(tmp_path: Path, odd: str) -> None:
    text = json.dumps(odd)
    lines = refused(tmp_path, f"[fleet]\nname = {text}\n{text} = 1\n{MINIMAL}", {f"BURSTD_{odd}": "1"})
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_a_value_that_is_no_text_at_all_can_still_be_told(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, MINIMAL, {"BURSTD_FLEET__NAME": os.fsdecode(b"\xff")})
    assert 'fleet.name = "\\udcff" (from BURSTD_FLEET__NAME): expected ' in line
    line.encode()


def test_a_long_value_does_not_make_a_long_line(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, f"[fleet]\nname = '{'x' * 5000}'\n{MINIMAL}")
    assert len(line) < 300


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["auto", "5m", "http://a/", "0660"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(st.tuples(st.sampled_from([path for path, _ in every_key()]), VALUES), min_size=1, max_size=6))
def test_nothing_written_in_any_key_does_anything_but_load_or_be_refused_in_lines(changes: list[tuple[tuple[str | int, ...], Any]]) -> None:
    values: dict[str, Any] = {
        "core": [{"name": "a", "exporter": "http://a/"}],
        "pool": [{"name": "p", "driver": "d", "image": "i", "size": "s"}],
        "load": {"steps": [{"ratio": 1.5, "count": 2}]},
    }
    for path, value in changes:
        table: Any = values
        for part in path[:-1]:
            inner = table.setdefault(part, {}) if isinstance(table, dict) else next(iter(table), None)
            if not isinstance(inner, dict | list):
                break
            table = inner
        else:
            if isinstance(table, dict):
                table[path[-1]] = value
    try:
        policy = judged(Written(values), Path("/etc/burstd")).policy("owner")
    except InvalidSettings as error:
        lines = error.problems
    else:
        lines = ()
        assert policy.cores
    assert all("\n" not in line and ": expected " in line for line in lines)
