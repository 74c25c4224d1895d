"""The runs as a picture: demand and capacity, the core's load, and the instances over the same time, a column for each policy.

matplotlib is imported late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from burstd.canvas import BLUE, INK, ORANGE, SKY_BLUE, STYLE, VERMILION, check_file, save
from burstd.errors import AskOperator
from burstd.simulate.measures import Measures
from burstd.simulate.timeline import Moment, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OPTION: Final = "--plot"

_DEMAND: Final = BLUE
_CAPACITY: Final = INK
_CORE: Final = "#D9D9D9"
_BURST: Final = ORANGE
_COMING: Final = SKY_BLUE
_OVER: Final = VERMILION

_WIDTH, _HEIGHT = 8.5, 8.0
"""Inches of one policy's column, at 10 point."""
_BINS: Final = 900
"""Stretches in which a line shows its highest value: finer than the eye, and a week's picture stays below a megabyte."""
_HOURS_UP_TO: Final = 3 * 86_400.0
"""Seconds: a longer time is told in days."""
_THINNEST: Final = 1 / 600
"""Of the width, what a mark of an overload has at least: one of a minute in a week would be thinner than a hair."""

_STYLE: Final = STYLE | {"legend.framealpha": 0.85, "legend.edgecolor": "none", "legend.fontsize": 9}


def check_picture(path: Path) -> None:
    """Refuse what cannot be drawn, before anything else is done.

    Raises:
        AskOperator: the name's ending says no picture, its folder is not there, or matplotlib is not installed.
    """
    from importlib.util import find_spec

    check_file(path, _OPTION, "out.svg")
    if find_spec("matplotlib") is None:
        raise AskOperator(f'{_OPTION} {path}: expected matplotlib, which is not installed; pip install "burstd[plot]" brings it')


def draw(runs: Sequence[Run], measures: Sequence[Measures], path: Path) -> None:
    """Draw them side by side into the file.

    Raises:
        AskOperator: the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    length = runs[0].trace.length
    unit, word = (3600.0, "hours") if length <= _HOURS_UP_TO else (86_400.0, "days")
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH * len(runs), _HEIGHT), layout="constrained")
        panels = figure.subplots(3, len(runs), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 2, 1.6))
        tops = [0.0, 0.0, 0.0]
        for number, (run, figures) in enumerate(zip(runs, measures, strict=True)):
            servers, instances = panels[0][number], panels[2][number]
            for row, draw_row in enumerate((_draw_servers, _draw_load, _draw_instances)):
                tops[row] = max(tops[row], draw_row(panels[row][number], run, unit))
                panels[row][number].set_xlim(0, length / unit)
                panels[row][number].set_ylim(0, tops[row])  # the row's columns share it
            servers.set_title(_summary(run, figures), fontsize=10)
            instances.set_xlabel(f"{word} since the trace began")
        panels[0][0].set_ylabel("servers\n(1 = what a core server carries)")
        panels[1][0].set_ylabel("load average (load1),\nmean of the core servers")
        panels[2][0].set_ylabel("rented\ninstances")
        figure.suptitle(_title(runs[0]), fontsize=12)
        save(figure, path, _OPTION)


def _title(run: Run) -> str:
    world = run.world
    boot = " to ".join(f"{each:g}" for each in sorted(set(world.boot)))
    return (
        f"burstd simulated on {run.trace.name}: {world.cores} core servers of {world.cpus} CPUs, boots of {boot} s, "
        f"at most {world.maximum} instances"
    )


def _summary(run: Run, figures: Measures) -> str:
    ratio = "" if figures.ratio is None else f" ({figures.ratio:.2f} times a clairvoyant's)"
    cost = "" if figures.cost is None else f", cost {figures.cost:.2f} {figures.currency or ''}".rstrip()
    return (
        f"policy {run.policy}: overloaded {figures.overloaded:.2f} % of the time\n"
        f"{figures.instance_hours:.0f} instance-hours{ratio}, {figures.launches} launches, {figures.flaps} flaps{cost}"
    )


def _draw_servers(axes: Axes, run: Run, unit: float) -> float:
    """Draw them, and return how high the axis must reach."""
    cores = run.world.cores
    times, capacity = _steps(run.moments, lambda each: cores + each.in_service, unit)
    axes.fill_between(times, 0, [cores] * len(times), color=_CORE, lw=0, label="capacity: core servers")
    axes.fill_between(
        times, [cores] * len(times), capacity, step="post", color=_BURST, alpha=0.45, lw=0, label="capacity: instances in service"
    )
    axes.plot(times, capacity, color=_CAPACITY, lw=0.8, drawstyle="steps-post")
    times, demand = _highest(run.moments, lambda each: each.demand, run.trace.length, unit)
    axes.plot(times, demand, color=_DEMAND, lw=1.1, label="demand")
    thinnest = run.trace.length * _THINNEST / unit
    for number, (start, end) in enumerate(_overloads(run)):
        label = "overloaded: demand above capacity" if number == 0 else None
        middle, width = (start + end) / 2 / unit, max((end - start) / unit, thinnest)
        axes.axvspan(middle - width / 2, middle + width / 2, ymin=0.0, ymax=0.04, color=_OVER, lw=0, label=label)
        axes.axvspan(middle - width / 2, middle + width / 2, color=_OVER, alpha=0.18, lw=0)
    axes.legend(loc="upper left", ncols=2)
    return max(*demand, *capacity) * 1.35


def _draw_load(axes: Axes, run: Run, unit: float) -> float:
    """As `_draw_servers`."""
    threshold = run.world.threshold
    times, loads = _highest(run.moments, lambda each: each.load1 or 0.0, run.trace.length, unit)
    axes.plot(times, loads, color=_DEMAND, lw=1.0, label="load1")
    axes.fill_between(
        times, threshold, loads, where=[load > threshold for load in loads], color=_OVER, alpha=0.35, lw=0, label="above the threshold"
    )
    axes.axhline(threshold, color=INK, lw=1, ls="--", label=f"threshold {threshold:g}")
    axes.legend(loc="upper left", ncols=3)
    # The highest overloads would press all the rest flat: what is above the axis is far above the threshold, and that is all it says.
    return min(max(loads) * 1.3, 5 * threshold) or threshold


def _draw_instances(axes: Axes, run: Run, unit: float) -> float:
    """As `_draw_servers`."""
    from matplotlib.ticker import MaxNLocator

    times, serving = _steps(run.moments, lambda each: each.in_service, unit)
    axes.fill_between(times, 0, serving, step="post", color=_BURST, lw=0, label="in service")
    times, coming = _highest(run.moments, lambda each: each.booting, run.trace.length, unit)
    axes.plot(times, coming, color=_COMING, lw=1.2, drawstyle="steps-post", label="on their way (booting, syncing, joining)")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left", ncols=2)
    return max(1.0, *serving, *coming) * 1.35


def _steps(moments: Sequence[Moment], value: Any, unit: float) -> tuple[list[float], list[float]]:  # noqa: ANN401 - any of a moment's figures
    """The times at which the value changes, and the values; the last one once more at the end."""
    times, values = [], []
    for found, group in groupby(moments, key=value):
        times.append(next(group).at / unit)
        values.append(float(found))
    end = moments[-1]
    return [*times, (end.at + end.seconds) / unit], [*values, values[-1]]


def _highest(moments: Sequence[Moment], value: Any, length: float, unit: float) -> tuple[list[float], list[float]]:  # noqa: ANN401 - the same
    """The highest value in each of so many equal stretches that the eye cannot tell them apart."""
    times, values = [], []
    for number, group in groupby(moments, key=lambda each: int(each.at / length * _BINS)):
        times.append(number / _BINS * length / unit)
        values.append(float(max(map(value, group))))
    return times, values


def _overloads(run: Run) -> Iterator[tuple[float, float]]:
    """The spans in which the demand was above the capacity, seconds."""
    for over, group in groupby(run.moments, key=lambda each: each.demand > run.world.cores + each.in_service + 1e-9):
        if over:
            span = list(group)
            yield span[0].at, span[-1].at + span[-1].seconds
