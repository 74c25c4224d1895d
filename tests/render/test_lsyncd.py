from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.render.lsyncd import MirrorConfig, admits_burstd, admits_core, lua, pushed_from, render, unit

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO1M9K7wUz9nn0CmFXv9UO1Y7lYrPqgBwCqT2G8Dqxkf somebody@somewhere"
CONFIG = MirrorConfig("mirror@10.0.0.5", "/srv/web", "mirror", "/.burstd/token", 1.0, 0.25, KEY, KEY, ("10.0.0.5", "10.9.0.0/16"))


def test_burstd_is_admitted_to_one_program_on_the_core_and_to_nothing_else() -> None:
    assert admits_burstd(CONFIG) == (
        f'restrict,command="/usr/local/bin/burstd-mirror --root /srv/web --token /.burstd/token --max-delete 0.25" {KEY}\n'
    )


def test_the_core_may_write_into_an_instances_content_from_its_own_addresses_alone() -> None:
    assert admits_core(CONFIG) == f'restrict,from="10.0.0.5,10.9.0.0/16",command="/usr/bin/rrsync -wo /srv/web" {KEY}\n'


def test_a_token_path_that_a_shell_would_read_differently_is_quoted_for_it_and_for_sshd() -> None:
    path = """/a"b'c$HOME;d"""
    option = admits_burstd(replace(CONFIG, token_path=path)).partition('command="')[2].partition(f'" {KEY}')[0]
    assert '"' not in option.replace(r"\"", "")
    command = option.replace(r"\"", '"')  # as sshd reads it, before it hands it to the user's shell
    assert subprocess.run(["sh", "-c", f'set -- {command}; printf %s "$5"'], capture_output=True, text=True, check=True).stdout == path


def test_every_file_says_where_it_belongs() -> None:
    assert [(each.name, each.place.partition(" (")[0]) for each in render(CONFIG)] == [
        ("lsyncd.lua", "10.0.0.5: /etc/burstd/lsyncd.lua"),
        ("lsyncd@.service", "10.0.0.5: /etc/systemd/user/lsyncd@.service"),
        ("authorized_keys.core", "10.0.0.5: ~mirror/.ssh/authorized_keys"),
        ("authorized_keys.instance", "every instance: ~mirror/.ssh/authorized_keys"),
    ]


def test_no_host_key_is_ever_taken_on_trust() -> None:
    assert "StrictHostKeyChecking=yes" in lua(CONFIG)
    assert "StrictHostKeyChecking=no" not in lua(CONFIG)
    assert "accept-new" not in lua(CONFIG)


@pytest.mark.parametrize(
    ("login", "address"), [("mirror@10.0.0.5", "10.0.0.5"), ("mirror@2001:db8::5", "2001:db8::5"), ("mirror@core.example.com", None)]
)
def test_pushes_come_from_the_cores_address_where_its_login_names_one(login: str, address: str | None) -> None:
    assert pushed_from(login) == address


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, root='/srv/web",'),
        replace(CONFIG, root="/srv/my web"),
        replace(CONFIG, root="srv"),
        replace(CONFIG, burstd_key="ssh-ed25519"),
        replace(CONFIG, push_key=f"{KEY}\nssh-ed25519 AAAA"),
        replace(CONFIG, push_key=f'command="sh" {KEY}'),
    ],
)
def test_a_value_that_would_say_something_else_is_refused(config: MirrorConfig) -> None:
    with pytest.raises(InvalidSettings):
        render(config)


def test_systemd_accepts_the_unit_for_a_user(tmp_path: Path) -> None:
    file = tmp_path / "lsyncd@.service"
    file.write_text(unit())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", file],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_crash_is_mended_and_a_held_mirror_is_left_alone() -> None:
    lines = unit().splitlines()
    assert "Restart=on-failure" in lines
    assert "RestartPreventExitStatus=25" in lines
