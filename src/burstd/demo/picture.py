"""The run as a picture: load, instances and traffic over the same time. matplotlib is imported late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from burstd.canvas import BLUE, INK, ORANGE, SKY_BLUE, STYLE, VERMILION, save
from burstd.demo.figures import Figures
from burstd.demo.scenario import Scenario
from burstd.demo.timeline import Timeline
from burstd.model.policy import Mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OPTION: Final = "--picture"

_WITH: Final = BLUE
_WITHOUT: Final = VERMILION
_BURST: Final = ORANGE
_COMING: Final = "#F5DDA5"
_LEAVING: Final = "#999999"
_CORE: Final = SKY_BLUE

_SIZE: Final = (9.0, 7.2)
"""Inches, at 10 point: readable at the width of a README."""

_NARROW: Final = 9.0
"""Seconds: a shorter stretch has room for its name alone."""

_STYLE: Final = STYLE | {"legend.frameon": False, "legend.loc": "upper left"}


def draw(timeline: Timeline, scenario: Scenario, figures: Figures, path: Path) -> None:
    """Draw it into the file.

    Raises:
        ImportError: matplotlib is not installed.
        AskOperator: the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        load, instances, traffic = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.3, 2))
        _draw_load(load, timeline, figures)
        _draw_instances(instances, timeline)
        _draw_traffic(traffic, timeline, figures.seconds)
        for axes in (load, instances, traffic):
            axes.set_xlim(0, figures.seconds)
            axes.set_ylim(bottom=0)
            for began, _ in scenario.starts()[1:]:
                axes.axvline(began, color=INK, lw=0.6, ls=":", alpha=0.5)
        _name_stretches(load, scenario, figures.seconds)
        traffic.set_xlabel("seconds   (the load average is damped over one minute, so it follows slowly)")
        figure.suptitle(_title(figures), fontsize=11)
        save(figure, path, _OPTION)


def _title(figures: Figures) -> str:
    own, other = figures.sides["with"], figures.sides["without"]
    mode = " (spillover)" if figures.mode is Mode.SPILLOVER else ""
    return (
        f"The same users, with and without burstd{mode}: {own.seconds_above_threshold:.0f} s against {other.seconds_above_threshold:.0f} s "
        f"above load {figures.threshold:g},\n{own.requests:,} requests answered against {other.requests:,}, {own.errors} lost; "
        f"{figures.launched} instances rented, {figures.destroyed} given back"
    )


def _name_stretches(axes: Axes, scenario: Scenario, end: float) -> None:
    """The scenario's words over the picture's upper edge."""
    starts = scenario.starts()
    for (began, stretch), until in zip(starts, [*(began for began, _ in starts[1:]), end], strict=True):
        text = f"{stretch.name}\n{stretch.users} users" if until - began > _NARROW else stretch.name
        axes.annotate(text, ((began + until) / 2, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)


def _draw_load(axes: Axes, timeline: Timeline, figures: Figures) -> None:
    threshold = figures.threshold
    for side, color in (("without", _WITHOUT), ("with", _WITH)):
        known = [(each.at, load) for each in timeline.moments if (load := each.loads[side]) is not None]
        times, loads = [at for at, _ in known], [load for _, load in known]
        axes.plot(times, loads, color=color, lw=2, drawstyle="steps-post", label=f"{side} burstd")
        over = [load > threshold for load in loads]
        axes.fill_between(times, threshold, loads, where=over, step="post", color=color, alpha=0.15, lw=0)
    axes.axhline(threshold, color=INK, lw=1, ls="--")
    axes.annotate(f"threshold {threshold:g}", (1, threshold), xytext=(0, 3), textcoords="offset points", fontsize=8)
    if timeline.first_burst is not None and figures.reaction_seconds is not None:
        level = next((load for each in timeline.moments if each.at >= timeline.first_burst and (load := each.loads["with"])), threshold)
        axes.annotate(
            f"the first instance answers {figures.reaction_seconds:.1f} s\nafter {figures.crossing}",
            (timeline.first_burst, level),
            xytext=(timeline.first_burst + 0.06 * figures.seconds, threshold * (1 / 3 if level > threshold / 2 else 2 / 3)),
            fontsize=8,
            arrowprops={"arrowstyle": "->", "color": INK, "shrinkB": 3, "relpos": (0, 0.5)},
        )
    axes.set_ylabel("load average\nof the core servers")
    axes.legend()


def _draw_instances(axes: Axes, timeline: Timeline) -> None:
    times = [each.at for each in timeline.moments]
    phases = {"in_service": ("in service", _BURST), "on_the_way": ("on their way", _COMING), "leaving": ("leaving", _LEAVING)}
    below = [0] * len(times)
    for phase, (label, color) in phases.items():
        top = [low + each.instances[phase] for low, each in zip(below, timeline.moments, strict=True)]
        axes.fill_between(times, below, top, step="post", color=color, label=label, lw=0)
        below = top
    axes.set_yticks(range(max(below) + 1))
    axes.set_ylabel("rented\ninstances")
    axes.legend()


def _draw_traffic(axes: Axes, timeline: Timeline, end: float) -> None:
    # What comes after the end was answered in parts of a second.
    own, other = ([each for each in timeline.traffic[side] if each.at <= end] for side in ("with", "without"))
    stacked = [each.core for each in own], [each.burst for each in own]
    axes.stackplot([each.at for each in own], *stacked, labels=("core servers", "instances"), colors=(_CORE, _BURST), lw=0)
    axes.plot([each.at for each in other], [each.core for each in other], color=_WITHOUT, lw=1.2, label="without burstd: all")
    axes.set_ylabel("requests/s\nanswered by")
    axes.legend()
