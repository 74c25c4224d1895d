"""What `burstd render` makes, to the letter. A change that is meant: `python -m tests.render.golden`, and read `git diff`."""

from __future__ import annotations

import pytest

from tests.render.golden import FOLDER, rendered


@pytest.mark.parametrize("name", sorted(rendered()))
def test_it_is_what_was_looked_at(name: str) -> None:
    assert rendered()[name] == (FOLDER / name).read_text()


def test_nothing_is_kept_that_is_not_made() -> None:
    assert {file.name for file in FOLDER.iterdir()} == set(rendered())
