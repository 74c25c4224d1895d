from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.adapters.haproxy.configuration import redispatches
from burstd.errors import InvalidSettings
from burstd.render.haproxy import CoreLine, HAProxyConfig, render

CORES = (CoreLine("core-oslo-01", "10.0.0.5"), CoreLine("core-oslo-02", "10.0.0.6", 8080, weight=50, maxconn=200))
CONFIG = HAProxyConfig(bind="*:80", socket="/run/haproxy/admin.sock", backend="app_cluster", cores=CORES)


def lines(config: HAProxyConfig) -> list[str]:
    return [line.strip() for line in render(config).splitlines()]


def accepted(text: str, folder: Path) -> None:
    """HAProxy takes it, and has nothing to say about it."""
    file = folder / "haproxy.cfg"
    file.write_text(text)
    result = subprocess.run(["haproxy", "-c", "-f", str(file)], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr


def test_the_whole_file_reads_like_this() -> None:
    assert (
        render(replace(CONFIG, user="haproxy", group="haproxy", chroot="/var/lib/haproxy", log="/dev/log local0"))
        == """\
# HAProxy for burstd, weighted mode. Burst servers are not in this file: burstd adds and removes them at run time.

global
    log /dev/log local0
    chroot /var/lib/haproxy
    user haproxy
    group haproxy
    maxconn 4096
    # burstd's door: adding servers needs level admin. With expose-fd a reload takes the listening sockets over.
    stats socket /run/haproxy/admin.sock mode 660 group haproxy level admin expose-fd listeners

defaults
    mode http
    log global
    option httplog
    option dontlognull
    retries 3
    # A request whose server is gone goes to another one. Without it HAProxy 2.6 can crash when a server is deleted.
    option redispatch
    timeout connect 2000ms
    timeout client 50000ms
    timeout server 50000ms
    timeout http-request 10000ms
    timeout http-keep-alive 10000ms
    # Short: what waits in the queue cannot move to a server that joins later.
    timeout queue 5000ms
    timeout check 2000ms

frontend http_front
    bind *:80
    default_backend app_cluster

backend app_cluster
    # Dynamic, so that servers can be added; requests are shared by weight.
    balance roundrobin
    # Standbys serve together when the core is dead, not the first of them alone.
    option allbackups
    option httpchk GET /
    http-check expect status 200
    server core-oslo-01 10.0.0.5:80 weight 100 check inter 2000ms rise 2 fall 3
    server core-oslo-02 10.0.0.6:8080 weight 50 maxconn 200 check inter 2000ms rise 2 fall 3
"""
    )


def test_haproxy_accepts_it_as_anybody(tmp_path: Path) -> None:
    accepted(render(replace(CONFIG, bind="127.0.0.1:8080", socket=str(tmp_path / "admin.sock"))), tmp_path)


def test_haproxy_accepts_it_as_a_service(tmp_path: Path) -> None:
    accepted(render(replace(CONFIG, user="root", group="root", chroot="/", log="/dev/log local0")), tmp_path)


def test_an_ipv6_core_is_accepted(tmp_path: Path) -> None:
    config = replace(CONFIG, cores=(CoreLine("core", "2001:db8::5"),))
    assert "server core [2001:db8::5]:80 weight 100 check inter 2000ms rise 2 fall 3" in lines(config)
    accepted(render(config), tmp_path)


def test_who_runs_haproxy_and_where_it_logs_is_left_out_where_it_is_not_said() -> None:
    words = {line.split(" ")[0] for line in lines(CONFIG)}
    assert not words & {"user", "group", "chroot", "log"}
    assert "option httplog" not in lines(CONFIG)


def test_short_times_keep_their_milliseconds() -> None:
    config = replace(CONFIG, check_interval=0.25, connect_timeout=0.5)
    assert "timeout connect 500ms" in lines(config)
    assert any("check inter 250ms" in line for line in lines(config))


def test_burstds_own_check_finds_redispatch_in_it() -> None:
    assert redispatches(render(CONFIG), "app_cluster") is True


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (replace(CONFIG, backend="app cluster"), "backend"),
        (replace(CONFIG, bind="*:80\n    user root"), "bind"),
        (replace(CONFIG, socket="/run/my haproxy.sock"), "socket"),
        (replace(CONFIG, check_path="/health#x"), "check_path"),
        (replace(CONFIG, user="$USER"), "user"),
        (replace(CONFIG, log="/dev/log 'local0'"), "log"),
        (replace(CONFIG, cores=()), "cores"),
        (replace(CONFIG, cores=(CORES[0], CORES[0])), "cores"),
        (replace(CONFIG, cores=(CoreLine("a;b", "10.0.0.5"),)), "core server"),
        (replace(CONFIG, cores=(CoreLine("a", "10.0.0.5 backup"),)), "address"),
    ],
)
def test_a_value_that_would_say_something_else_is_refused(config: HAProxyConfig, key: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        render(config)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(key)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidSettings) as raised:
        render(replace(CONFIG, bind="", backend="", cores=()))
    assert len(raised.value.problems) == 3


def test_the_gateway_of_the_article_as_we_mended_it_is_accepted(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "config" / "haproxy.cfg"
    text = shipped.read_text()
    accepted(text, tmp_path)
    assert redispatches(text, "app_cluster") is True
    assert redispatches(text, "static_cluster") is True
