"""What a picture of a run is drawn on: its file, its style and its colours. It draws nothing itself, and knows no run.

matplotlib comes with an extra that few install, so nothing here imports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from burstd.errors import AskOperator

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart.
BLUE: Final = "#0072B2"
SKY_BLUE: Final = "#56B4E9"
ORANGE: Final = "#E69F00"
VERMILION: Final = "#D55E00"
INK: Final = "#333333"
"""Of words, axes and thin lines."""

STYLE: Final[dict[Any, Any]] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "burstd",  # the same run gives the same file
}
"""For matplotlib's `rc_context`; what becomes of the legends is each picture's own affair."""

_FORMATS: Final = (".svg", ".png", ".pdf")


def check_file(path: Path, option: str, example: str) -> None:
    """Refuse what can be no picture's file, before anything else is done.

    Args:
        path: of the file to be.
        option: of the command line, by which the operator gave it.
        example: a name that would do.

    Raises:
        AskOperator: the file's name has no ending that says which picture it is to be, or its folder is not there.
    """
    if path.suffix.lower() not in _FORMATS:
        raise AskOperator(f"{option} {path}: expected a name that ends in {', '.join(_FORMATS)}; write for example {example}")
    if not path.absolute().parent.is_dir():
        raise AskOperator(f"{option} {path}: expected a folder that exists, found none; make it first (mkdir -p {path.parent})")


def save(figure: Figure, path: Path, option: str) -> None:
    """Write it into the file, without the date: the same run gives the same file.

    Raises:
        AskOperator: the file cannot be written.
    """
    try:
        figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise AskOperator(f"{option} {path}: expected a file that can be written, the system says: {error.strerror}") from error
