from __future__ import annotations

from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.settings import load
from tests.settings.written import MINIMAL, loaded, refused, write

SECRET = "wJalrXUtnFEMI"  # made up, to prove that it never shows

SCRIPT = b"#!/bin/bash\r\nlist=(a b)\necho ${#list[@]} {{ not_jinja }} {% nor_this %}\n\n"
"""What Jinja would stumble over, with both kinds of line ends."""


def user_data(folder: Path, name: str, content: str | bytes, pool: str = "", above: str = "") -> str | None:
    """What an instance gets of a `user_data` file of that name and content."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return loaded(folder, f'{above}{MINIMAL}{pool}user_data = "{name}"\n').policy("owner-1").pools[0].user_data


def told(folder: Path, content: str) -> str:
    """The one line with which a template of that content is refused."""
    (folder / "cloud-init.yaml.j2").write_text(content)
    (line,) = refused(folder, f'{MINIMAL}user_data = "cloud-init.yaml.j2"\n')
    return line


def test_a_file_that_is_no_template_is_handed_over_to_the_byte(tmp_path: Path) -> None:
    assert (user_data(tmp_path, "boot.sh", SCRIPT) or "").encode() == SCRIPT


@pytest.mark.parametrize("content", ["#cloud-config\n\n", "#cloud-config", "#!/bin/sh\r\ntrue\r\n", ""])
def test_a_template_without_syntax_is_handed_over_to_the_byte(tmp_path: Path, content: str) -> None:
    assert user_data(tmp_path, "plain.j2", content) == content


def test_a_template_knows_the_fleet_and_the_pool_it_is_for(tmp_path: Path) -> None:
    every = "{{ fleet }} {{ pool }} {{ image }} {{ size }} {{ location }} {{ tags.team }} {{ port }} {{ check_path }} {{ metrics_port }}\n"
    pool = 'location = "eu-west-1a"\nport = 8080\ncheck_path = "/health"\nmetrics_port = 9101\ntags = { team = "<web>" }\n'
    text = user_data(tmp_path, "cloud-init.yaml.j2", every, pool, '[fleet]\nname = "surge"\n')
    assert text == "surge dublin ami-1 t3.small eu-west-1a <web> 8080 /health 9101\n"


def test_what_is_not_set_is_undefined_and_can_be_asked_for(tmp_path: Path) -> None:
    template = "{% if metrics_port is defined %}exporter{% endif %}{{ location | default('anywhere') }}\n"
    assert user_data(tmp_path, "a.j2", template, "metrics_port = 0\n") == "anywhere\n"
    assert "(line 1: 'location' is undefined)" in told(tmp_path, "{{ location }}\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("#cloud-config\n\nname: {{ nme }}\n", "line 3: 'nme' is undefined"),
        ("a\n{{ tags.team }}\n", "line 2: 'dict object' has no attribute 'team'"),
        ("a\n{% if port %}\n", "line 2: Unexpected end of template"),
        ("a\n{{ port | nosuch }}\n", "line 2: No filter named 'nosuch'"),
        ("{{ owner }}", "line 1: 'owner' is undefined"),
        ("{{ [1, 2] | random }}", "line 1: No filter named 'random'"),
        ("{{ lipsum() }}", "line 1: 'lipsum' is undefined"),
        ("\n{% include '/etc/passwd' %}", "line 2: no loader for this environment specified"),
        ("\n{{ ''.__class__.a }}", "line 2: access to attribute '__class__' of 'str' object is unsafe"),
        ("\n\n{{ 1 / 0 }}", "line 3: ZeroDivisionError"),
    ],
)
def test_a_wrong_template_is_told_in_one_line_that_names_the_file_the_line_and_the_mend(tmp_path: Path, content: str, reason: str) -> None:
    line = told(tmp_path, content)
    assert line.startswith(f'pool[0].user_data = "cloud-init.yaml.j2": expected a template that can be rendered ({reason}')
    assert line.endswith("; mend that line, docs/configuration.md lists the variables")


@pytest.mark.parametrize(
    "content", [f"{{{{ 'a' {SECRET} }}}}", f"{{{{ '{SECRET}' / 2 }}}}", f"{{% set x = ['{SECRET}'] %}}{{{{ 'x' + x[9] }}}}", f"{SECRET}{{%"]
)
def test_no_refusal_of_a_template_shows_what_else_is_in_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.j2").write_text(content)
    with pytest.raises(InvalidSettings) as caught:
        load(write(tmp_path, f'{MINIMAL}user_data = "a.j2"\n'), {})
    assert SECRET not in str(caught.value)


def test_the_same_settings_render_the_same_text_and_never_show_it(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text(f"password: {SECRET}-{{{{ pool }}}}\n")
    settings = loaded(tmp_path, f'{MINIMAL}user_data = "a.j2"\n')
    first, second = settings.policy("owner-1"), settings.policy("owner-1")
    assert first.pools[0].user_data == second.pools[0].user_data == f"password: {SECRET}-dublin\n"
    assert SECRET not in repr(settings) + repr(first) + str(settings.public())
