"""config/burstd.toml, docs/configuration.md and the settings' models name the same keys, with the same units and defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.model.policy import FleetPolicy
from burstd.settings import Settings, load
from burstd.settings.places import default, every_key, is_list, kind, table_of
from burstd.settings.reference import example_file, with_tables
from tests.house.checkout import ROOT

EXAMPLE = ROOT / "config" / "burstd.toml"
PAGE = ROOT / "docs" / "configuration.md"

Documented = dict[tuple[str, str], tuple[str, str]]
"""Section and key: unit and default, both empty where there is none."""


def of_the_models() -> Documented:
    return {
        (str(path[0]), str(path[1 if len(path) == 2 else 2])): (kind(field).unit, "required" if field.is_required() else default(field))
        for path, field in every_key()
        if table_of(field) is None and not {"steps", "further"} & set(path)
    } | {("load", "steps"): ("", "[]"), ("haproxy", "further"): ("", "[]")}


def of_the_example() -> Documented:
    found, section = {}, ""
    pattern = re.compile(
        r"^(?:# )?\[+(?P<section>\w+)\]+$|^# .* \((?:(?P<unit>[\w ]+), )?(?P<default>required|default .+)\)\n(?:# ?)?(?P<key>\w+) = ",
        re.MULTILINE,
    )
    for match in pattern.finditer(EXAMPLE.read_text()):
        section = match["section"] or section
        if match["key"]:
            found[section, match["key"]] = match["unit"] or "", re.sub("^default none$|^default ", "", match["default"])
    return found


def of_the_page() -> Documented:
    found, section = {}, ""
    row = re.compile(r"^### \[+(?P<section>\w+)\]+$|^\| `(?P<key>\w+)` \| .+ \| (?P<unit>[^|]+) \| (?P<default>[^|]+) \|$", re.MULTILINE)
    for match in row.finditer(PAGE.read_text()):
        section = match["section"] or section
        if match["key"]:
            found[section, match["key"]] = match["unit"].replace("-", ""), re.sub("^none$", "", match["default"]).strip("`")
    return found


def test_the_example_names_every_key_with_its_unit_and_its_default() -> None:
    assert len(of_the_models()) > 60
    assert of_the_example() == of_the_models()


def test_the_page_names_every_key_with_its_unit_and_its_default() -> None:
    assert of_the_page() == of_the_models()


def test_both_are_as_the_models_have_them() -> None:
    mend = "run script/configuration-docs"
    assert EXAMPLE.read_text() == example_file(), mend
    assert PAGE.read_text() == with_tables(PAGE.read_text()), mend


def test_the_example_is_accepted_as_it_stands() -> None:
    settings = load(EXAMPLE, {})
    assert settings.policy("owner").fleet == FleetPolicy()


def test_the_example_is_still_accepted_and_the_same_with_every_default_in_it_taken_at_its_word(tmp_path: Path) -> None:
    example = EXAMPLE.read_text()
    with_defaults = tmp_path / "burstd.toml"
    with_defaults.write_text(re.sub(r"(?<!default none\)\n)^#(?=\w+ = )", "", example, flags=re.MULTILINE))
    assert with_defaults.read_text() != example
    assert load(with_defaults, {}) == load(EXAMPLE, {})


def test_every_example_of_a_key_without_a_default_is_accepted(tmp_path: Path) -> None:
    everything = tmp_path / "burstd.toml"
    (tmp_path / "cloud-init.yaml").write_text("#cloud-config\n")
    text = re.sub(r"^#(?=\w+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = re.sub("^proxy_file = .*$", "", text, flags=re.MULTILINE)  # there is one proxy, by the one key or by the other
    everything.write_text(text.replace("/etc/burstd/cloud-init.yaml", "cloud-init.yaml"))
    settings = load(everything, {})
    assert None not in (settings.haproxy.maxconn, settings.haproxy.config_file, settings.pool[0].location, settings.control.group)


def test_the_worked_example_of_the_page_is_accepted(tmp_path: Path) -> None:
    (worked,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "burstd.toml"
    path.write_text(worked)
    assert load(path, {}).fleet.max == 6


def test_the_refusals_that_the_page_shows_are_those_that_are_told(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "burstd.toml"
    path.write_text("[fleet]\nmin = 9\nmax = 4\n[haproxy]\nburst_wait = 3\n")
    with pytest.raises(InvalidSettings) as caught:
        load(path, {"BURSTD_LOAD__WARM_UP": "5 minuts"})
    assert set(shown.splitlines()) <= set(caught.value.problems)


@pytest.mark.parametrize("section", Settings.model_fields)
def test_every_section_has_an_introduction_and_every_key_a_sentence(section: str) -> None:
    field = Settings.model_fields[section]
    below = table_of(field)
    assert below is not None
    assert (below.__doc__ or "").endswith(".")
    assert all(str(each.description).endswith(".") for each in below.model_fields.values())
    assert f"### {'[[' if is_list(field) else '['}{section}]" in PAGE.read_text()
