"""`burstd simulate`: what would burstd have done on last month's load, and what would it have cost?"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from burstd.cli.options import examples, json_option, named_config_option, settings_of
from burstd.errors import AskOperator

if TYPE_CHECKING:
    from rich.progress import Progress

    from burstd.settings import Settings
    from burstd.simulate import Measures, Run, Trace, WorldSpec

_AUTO: Final = "auto"
_NONE: Final = "none"
_LONGEST_INTERVAL: Final = 40.0
"""Seconds over which burstd takes the damping out of a load average (`burstd.decide.traffic`): with rarer looks it cannot."""


def _finite(_ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Neither infinite nor no number at all, which click takes for one."""
    if value is not None and not math.isfinite(value):
        raise AskOperator(f"{param.opts[0]} {value:g}: expected a number; write one such as 0.25")
    return value


@click.command(
    epilog=examples(
        "burstd simulate week.csv                                   what the settings' defaults would have done",
        "burstd simulate week.csv --policy threshold --plot out.svg and a picture of it",
        "burstd simulate week.csv --config /etc/burstd/burstd.toml --scale none --work 25ms",
        "burstd simulate --prometheus http://127.0.0.1:9090 --days 30 --json",
    )
)
@click.argument("trace", required=False, metavar="[TRACE]")
@click.option("--prometheus", metavar="URL", help="Take the load from this Prometheus instead of a file.")
@click.option("--query", metavar="Q", help="What to ask it; one series.  [default: HAProxy's request rate, else node_load1]")
@click.option("--days", type=float, default=7.0, show_default=True, metavar="N", help="How far back to ask it.")
@click.option("--step", default="60s", show_default=True, metavar="TIME", help="Distance of the points to ask it for.")
@click.option("--policy", metavar="A,B", help="Policies, side by side.  [default: that of the settings]")
@click.option("--scale", default=_AUTO, show_default=True, metavar="auto|none|N", help="Fit the load to the core, leave it, or times N.")
@click.option("--cores", type=click.IntRange(1, 1000), metavar="N", help="Core servers.  [default: the settings', else 2]")
@click.option("--cpus", type=click.IntRange(1, 1024), default=4, show_default=True, metavar="N", help="CPUs of every server.")
@click.option("--work", default="40ms", show_default=True, metavar="TIME", help="CPU time that a request costs.")
@click.option("--boot", default="60s..180s", show_default=True, metavar="A..B", help="Boot times, all between as likely.")
@click.option(
    "--failures",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="PART",
    callback=_finite,
    help="Launches that fail, 0 to 1.",
)
@click.option("--price", type=click.FloatRange(0), metavar="X", callback=_finite, help="Of an instance-hour.  [default: the first pool's]")
@click.option("--max", "maximum", type=click.IntRange(0, 1000), metavar="N", help="Most instances.  [default: the settings', else 10]")
@click.option("--interval", default="30s", show_default=True, metavar="TIME", help="Between two cycles while nothing moves.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Another one draws other boot times.")
@click.option("--timeline", metavar="FILE", help="Write every moment there, as CSV; one file for each policy.")
@click.option("--plot", metavar="FILE", help="Draw a picture there: .svg, .png or .pdf.")
@named_config_option
@json_option
def simulate(  # noqa: PLR0913 - each is an option
    *,
    trace: str | None,
    prometheus: str | None,
    query: str | None,
    days: float,
    step: str,
    policy: str | None,
    scale: str,
    cores: int | None,
    cpus: int,
    work: str,
    boot: str,
    failures: float,
    price: float | None,
    maximum: int | None,
    interval: str,
    seed: int,
    timeline: str | None,
    plot: str | None,
    config: str | None,
    as_json: bool,
) -> None:
    """Show what burstd would have done on a recorded load, and its cost.

    The real cycle runs on a simulated site: core servers, HAProxy, a cloud with slow boots. TRACE is a CSV file with the head
    t_seconds,requests_per_second or t_seconds,load1. No daemon, HAProxy or cloud is asked anything. docs/simulate.md explains every figure.
    """
    if (trace is None) == (prometheus is None):
        raise click.UsageError("name a TRACE file or --prometheus URL: expected one of the two")
    if query is not None and prometheus is None:
        raise click.UsageError("--query is a question to a Prometheus; name it with --prometheus URL")
    pictured = Path(plot) if plot else None
    _check_files(pictured, Path(timeline) if timeline else None)
    settings = settings_of(config) if config else None
    from burstd.simulate import finely, measure, policy_names
    from burstd.simulate.scale import scaled

    world = _world(settings, cores, cpus, _seconds("--work", work), _boot(boot), failures, price, maximum)
    names = _policies(policy, policy_names(), settings)
    load = _from_file(trace) if trace else _from_prometheus(prometheus or "", query, days, _seconds("--step", step), settings)
    demand, factor = scaled(load, world, _scale(scale))
    runs = _play(demand, world, names, settings, seed=seed, interval=_interval(interval))
    figures = [measure(finely(each.moments, each.trace, each.world), each.world) for each in runs]
    _tell(runs, figures, factor, as_json=as_json)
    if timeline:
        _write_timelines(runs, Path(timeline), as_json=as_json)
    if pictured:
        _draw(runs, figures, pictured, as_json=as_json)


def _check_files(picture: Path | None, timeline: Path | None) -> None:
    """Find out now what would otherwise come to light after the run."""
    if picture is not None:
        from burstd.simulate.picture import check_picture

        check_picture(picture)
    if timeline is not None and not timeline.absolute().parent.is_dir():
        raise AskOperator(f"--timeline {timeline}: expected a folder that exists, found none; make it first (mkdir -p {timeline.parent})")


def _seconds(option: str, text: str) -> float:
    """A length of time above 0; milliseconds, too, which the settings have no use for."""
    from burstd.durations import parse_duration

    try:
        seconds = float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else parse_duration(text)
        seconds = seconds if 0 < seconds < float("inf") else 0.0
    except ValueError:
        seconds = 0.0
    if not seconds:
        raise AskOperator(f'{option} {text}: expected a time above 0 such as "40ms", "30s" or "1m30s"; write it with its unit')
    return seconds


def _interval(text: str) -> float:
    seconds = _seconds("--interval", text)
    if seconds > _LONGEST_INTERVAL:
        raise AskOperator(
            f"--interval {text}: expected {_LONGEST_INTERVAL:g}s at most, for burstd learns nothing from rarer looks; write 30s"
        )
    return seconds


def _boot(text: str) -> tuple[float, float]:
    first, _, last = text.partition("..")
    shortest, longest = _seconds("--boot", first), _seconds("--boot", last or first)
    if shortest > longest:
        raise AskOperator(f"--boot {text}: expected the shortest time first; write {last}..{first}")
    return shortest, longest


def _scale(text: str) -> float | None:
    """The factor; None: as fits the core."""
    if text == _AUTO:
        return None
    try:
        factor = 1.0 if text == _NONE else float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise AskOperator(f"--scale {text}: expected auto, none or a factor above 0; write for example 2.5")
    return factor


def _world(  # noqa: PLR0913, PLR0917 - what is said of it on the command line
    settings: Settings | None,
    cores: int | None,
    cpus: int,
    work: float,
    boot: tuple[float, float],
    failures: float,
    price: float | None,
    maximum: int | None,
) -> WorldSpec:
    """The world: what is said on the command line, then what the settings say, then the defaults."""
    from burstd.simulate import WorldSpec
    from burstd.simulate.world import CORES, MAXIMUM

    threshold, currency = WorldSpec().threshold, None
    known_cores, known_maximum = CORES, MAXIMUM
    if settings is not None:
        load = settings.load
        threshold = load.scale_out_above * (cpus if load.per_cpu else 1)
        known_cores, known_maximum = len(settings.core) or CORES, settings.fleet.max
        pool = settings.pool[0] if settings.pool else None
        if price is None and pool is not None:
            price, currency = pool.price, pool.currency
    return WorldSpec(
        cores=known_cores if cores is None else cores,
        cpus=cpus,
        work=work,
        boot=boot,
        failures=failures,
        maximum=known_maximum if maximum is None else maximum,
        threshold=threshold,
        price=price,
        currency=currency,
    )


def _policies(text: str | None, known: Sequence[str], settings: Settings | None) -> list[str]:
    """The policies' names, each once, in the order in which they were named."""
    names = [each.strip() for each in text.split(",")] if text else [settings.load.policy if settings else known[0]]
    for each in names:
        if each not in known:
            raise AskOperator(f"--policy {each}: expected {' or '.join(known)}; write several with a comma between them")
    return list(dict.fromkeys(names))


def _from_file(path: str) -> Trace:
    from burstd.simulate import read_trace

    return read_trace(Path(path))


def _from_prometheus(url: str, query: str | None, days: float, step: float, settings: Settings | None) -> Trace:
    import time
    from urllib.parse import urlsplit

    from burstd.simulate.recording import default_queries, record
    from burstd.wiring.simulation import read_history

    if not 0 < days < float("inf"):
        raise AskOperator(f"--days {days:g}: expected a number above 0; write for example 7")
    backend = settings.haproxy.backend if settings else "app_cluster"
    exporters = [urlsplit(each.exporter).netloc for each in settings.core] if settings else []
    queries = [query] if query else default_queries(backend, exporters, step)
    return record(read_history, url, queries, end=time.time(), days=days, step=step)


def _play(  # noqa: PLR0913 - what is played, on what, and how
    demand: Trace, world: WorldSpec, names: Sequence[str], settings: Settings | None, *, seed: int, interval: float
) -> list[Run]:
    """Every policy in turn, with a bar for each on a terminal."""
    from burstd.simulate import policy_for
    from burstd.simulate import simulate as play

    base, calendar = None, None
    if settings is not None:
        from burstd.wiring import calendar_of

        base, calendar = settings.policy(""), calendar_of(settings)
    runs: list[Run] = []
    with _bars() as bars:
        for name in names:
            told = _bar(bars, name)
            policy = policy_for(world, name, base)
            runs.append(play(demand, policy, world, seed=seed, interval=interval, name=name, calendar=calendar, progress=told))
    return runs


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _bar(bars: Progress, name: str) -> Callable[[float], None]:
    task = bars.add_task(name, total=1.0)
    return lambda done: bars.update(task, completed=done)


def _tell(runs: Sequence[Run], figures: Sequence[Measures], factor: float, *, as_json: bool) -> None:
    from burstd.simulate.report import document, table

    if as_json:
        click.echo(json.dumps(document(runs, figures, factor)))
        return
    from rich.console import Console

    Console(file=sys.stdout).print(table(runs, figures))


def _write_timelines(runs: Sequence[Run], path: Path, *, as_json: bool) -> None:
    """One file for each policy; with several, the policy's name stands before the ending."""
    from burstd.simulate.timeline import as_csv

    for run in runs:
        place = path if len(runs) == 1 else path.with_name(f"{path.stem}-{run.policy}{path.suffix}")
        try:
            place.write_text(as_csv(run), encoding="utf-8")
        except OSError as error:
            raise AskOperator(f"--timeline {place}: expected a file that can be written, the system says: {error.strerror}") from error
        _say(f"timeline: {place}", as_json=as_json)


def _draw(runs: Sequence[Run], figures: Sequence[Measures], path: Path, *, as_json: bool) -> None:
    from burstd.simulate.picture import draw

    draw(runs, figures, path)
    _say(f"picture: {path}", as_json=as_json)


def _say(text: str, *, as_json: bool) -> None:
    """Beside JSON standard output is for that alone."""
    click.echo(text, err=as_json)
