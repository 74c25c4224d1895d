"""`burstd render haproxy`: from a settings file to a file that HAProxy takes, on every version found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.renderer import Render, renderer
from tests.haproxy_versions import found

SETTINGS = """
[haproxy]
socket = "admin.sock"
maxconn = 8
further = [{ name = "static_cluster", acl = "path_beg /static/", port = 8081, core_port = 8082 }]

[render]
bind = "127.0.0.1:8080"
user = ""
group = ""
chroot = ""
log = ""
queue_timeout = "3s"

[[core]]
name = "core-oslo-01"
exporter = "http://10.0.0.5:9100/metrics"
address = "10.0.0.5"
maxconn = 16

[[core]]
name = "core-oslo-02"
server = "web-2"
exporter = "http://10.0.0.6:9100/metrics"
address = "2001:db8::6"
port = 8080
weight = 50
maxconn = 8

[[pool]]
name = "dublin"
driver = "ec2"
image = "ami-1"
size = "t3.small"
check_path = "/health"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "burstd.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def render(settings: Path) -> Render:
    return renderer("haproxy", settings)


@pytest.mark.parametrize("mode", ["weighted", "spillover"])
def test_every_haproxy_found_takes_what_is_written(render: Render, tmp_path: Path, mode: str) -> None:
    file = tmp_path / "haproxy.cfg"
    told = render("--mode", mode, "--output", str(file))
    assert (told.exit_code, told.stdout) == (0, f"{file}: written, {mode} mode\n")
    assert found()
    for binary in found().values():
        said = subprocess.run([binary, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert "WARNING" not in said.stderr


def test_everything_that_the_settings_say_stands_in_the_file(render: Render, settings: Path) -> None:
    told = render("--mode", "spillover")
    assert told.exit_code == 0
    watched = "rise 2 fall 3 observe layer4 error-limit 2 on-error mark-down slowstart 60000ms"
    for line in (
        "    bind 127.0.0.1:8080",
        f"    stats socket {settings.parent}/admin.sock mode 660 level admin expose-fd listeners",
        "    timeout queue 3000ms",
        "    option httpchk GET /health",
        "    acl core_full be_conn(app_cluster) ge 24",
        "    acl to:static_cluster path_beg /static/",
        f"    server core-oslo-01 10.0.0.5:80 weight 100 maxconn 16 check inter 1000ms {watched}",
        f"    server web-2 [2001:db8::6]:8080 weight 50 maxconn 8 check inter 1000ms {watched}",
        f"    server core-oslo-01 10.0.0.5:8082 weight 100 maxconn 16 check inter 1000ms {watched}",
        "backend static_cluster_cloud",
    ):
        assert line in told.stdout.splitlines(), line


def test_the_database_gets_a_listener_where_there_is_one(render: Render, settings: Path, tmp_path: Path) -> None:
    assert "listen " not in render().stdout
    database = '[database]\nprimary = "10.0.0.5"\nreplica = "10.1.0.5"\nlistener = "db"\nlisten = "[::1]:3307"\nport = 3308\n'
    settings.write_text(SETTINGS + database)
    file = tmp_path / "haproxy.cfg"
    assert render("--output", str(file)).exit_code == 0
    for line in (
        "listen db",
        "    bind [::1]:3307",
        "    server primary 10.0.0.5:3308 check inter 1000ms rise 2 fall 3",
        "    server replica 10.1.0.5:3308 check inter 1000ms rise 2 fall 3 backup disabled",
    ):
        assert line in file.read_text().splitlines(), line
    for binary in found().values():
        said = subprocess.run([binary, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
        assert (said.returncode, "WARNING" in said.stderr) == (0, False), said.stderr
    settings.write_text(SETTINGS + database.replace('listen = "[::1]:3307"', 'listen = ""'))
    assert "listen db" not in render().stdout


def test_without_slow_start_a_core_that_comes_back_gets_its_full_share_at_once(render: Render, settings: Path) -> None:
    settings.write_text(SETTINGS.replace("[render]", "[render]\nslow_start = 0"))
    assert "slowstart" not in render().stdout


def test_without_mode_it_is_that_of_the_settings(render: Render, settings: Path) -> None:
    assert "weighted mode" in render().stdout
    settings.write_text(SETTINGS.replace("[haproxy]", '[haproxy]\nmode = "spillover"'))
    assert "spillover mode" in render().stdout


def test_the_next_steps_are_told_beside_the_file(render: Render, settings: Path, tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    told = render("--mode", "spillover", "--output", str(file))
    assert told.stderr.splitlines() == [
        f"next: haproxy -c -f {file}",
        f"next: install -m 644 {file} /etc/haproxy/haproxy.cfg && systemctl reload haproxy",
        (
            f'next: set mode = "spillover" under [haproxy] in {settings}, and restart burstd: '
            "the instances must join where HAProxy expects them"
        ),
        "next: burstd check",
    ]
    assert "set mode" not in render("--mode", "weighted").stderr


def test_a_file_that_exists_is_written_over_by_force_alone(render: Render, tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("mine\n")
    refused = render("--output", str(file))
    assert (refused.exit_code, file.read_text()) == (2, "mine\n")
    assert (
        refused.stderr == f"burstd: --output {file}: expected no such file, it exists; name another one, or say --force to write over it\n"
    )
    assert render("--output", str(file), "--force").exit_code == 0
    assert file.read_text() == render().stdout


def test_a_file_that_cannot_be_written_is_told(render: Render, tmp_path: Path) -> None:
    told = render("--output", str(tmp_path / "nowhere" / "haproxy.cfg"))
    assert told.exit_code == 2
    assert told.stderr.endswith("expected a file that can be written, the system says: No such file or directory\n")


def test_json_holds_the_text_the_mode_and_the_next_steps(render: Render) -> None:
    told = json.loads(render("--json").stdout)
    assert (told["mode"], told["file"], told["text"]) == ("weighted", None, render().stdout)
    assert told["next"][0] == "burstd render haproxy --mode weighted --output haproxy.cfg"


def test_what_the_settings_lack_is_told_by_its_key(render: Render, settings: Path) -> None:
    text = SETTINGS.replace('address = "10.0.0.5"\n', "").replace(', acl = "path_beg /static/"', "")
    text = text.replace("weight = 50\nmaxconn = 8\n", "")
    second = SETTINGS.partition("[[pool]]")[2].replace("dublin", "oslo").replace("/health", "/")
    settings.write_text(f"{text}[[pool]]{second}")
    weighted, spillover = render("--mode", "weighted"), render("--mode", "spillover")
    assert weighted.exit_code == spillover.exit_code == 2
    keys = [line.removeprefix("burstd: ").partition(":")[0] for line in spillover.stderr.splitlines()]
    assert keys == ["core[0].address", "core[1].maxconn", "haproxy.further[0].acl", "pool[1].check_path /"]
    assert spillover.stderr.splitlines()[0] == (
        'burstd: core[0].address: needed to render haproxy.cfg; write the IP address of core-oslo-01, such as address = "10.0.0.5"'
    )
    assert "maxconn" not in weighted.stderr


def test_instances_need_a_limit_where_the_core_has_one(render: Render, settings: Path) -> None:
    settings.write_text(SETTINGS.replace("maxconn = 8\nfurther", "further"))
    told = render()
    assert told.exit_code == 2
    assert told.stderr.startswith("burstd: haproxy.maxconn: needed to render haproxy.cfg where core servers have a maxconn, for instances")
    settings.write_text(settings.read_text().replace("maxconn = 8\n", "").replace("maxconn = 16\n", ""))
    assert render().exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('address = "10.0.0.5"', 'address = "oslo.example.com"', "core[0].address"),
        ('bind = "127.0.0.1:8080"', 'bind = "*:80 user root"', "render.bind"),
        ('acl = "path_beg /static/"', 'acl = "path_beg /\\n"', "haproxy.further[0].acl"),
        ('log = ""', 'log = "/dev/log  local0"', "render.log"),
    ],
)
def test_a_value_that_would_say_something_else_is_refused_by_its_key(render: Render, settings: Path, old: str, new: str, key: str) -> None:
    settings.write_text(SETTINGS.replace(old, new))
    told = render()
    assert told.exit_code == 2
    assert told.stderr.startswith(f"burstd: {key} = ")
