"""Runs proofs one after the other, in the lab that is up or in one of its own, and prints the table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.lab import lab
from tests.lab.drill import burst, content, dark, latency
from tests.lab.drill.report import Report
from tests.lab.place import say

PROOFS: Final[dict[str, Callable[[Report], None]]] = {each.PROOF: each.prove for each in (burst, dark, content, latency)}
"""In the order in which they run."""


def drill(names: Sequence[str], json_file: Path | None) -> bool:
    """Whether every claim of these proofs holds; all proofs where none is named. A proof that cannot be carried out has failed."""
    report = Report()
    own = not lab.whole()
    if own:
        lab.up()
    try:
        for name in [each for each in PROOFS if each in names or not names]:
            say(f"proof: {name}")
            began = time.monotonic()
            try:
                PROOFS[name](report)
            except Exception as error:  # noqa: BLE001 - the others are still worth knowing
                report.note(name, "the proof can be carried out", f"{type(error).__name__}: {error}", ok=False)
            report.seconds[name] = round(time.monotonic() - began, 1)
    finally:
        if own:
            lab.down()
    _show(report)
    if json_file is not None:
        json_file.write_text(json.dumps(report.document(), indent=2) + "\n")
    return report.ok


def _show(report: Report) -> None:
    table = Table("proof", "claim", "measured", "", expand=False)
    for each in report.claims:
        table.add_row(each.proof, each.claim, each.measured, "[green]ok[/]" if each.ok else "[bold red]FAILED[/]")
    Console().print(table)
    Console().print(", ".join(f"{name} {seconds:.0f} s" for name, seconds in report.seconds.items()))
