from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.adapters.haproxy.configuration import has_option
from burstd.errors import InvalidSettings
from burstd.render.haproxy import BackendConfig, CoreLine, DatabaseListener, HAProxyConfig, render
from tests.haproxy_versions import found

CORES = (CoreLine("core-oslo-01", "10.0.0.5"), CoreLine("core-oslo-02", "10.0.0.6", 8080, weight=50, maxconn=200))
CONFIG = HAProxyConfig(bind="*:80", socket="/run/haproxy/admin.sock", backends=(BackendConfig("app_cluster", CORES),))

LIMITED = tuple(replace(core, maxconn=16) for core in CORES)
FILES = tuple(replace(core, port=8081) for core in LIMITED)
OVERFLOWING = replace(CONFIG, backends=(BackendConfig("app_cluster", LIMITED, "app_cloud"),))
SEVERAL = replace(CONFIG, backends=(*CONFIG.backends, BackendConfig("static_cluster", FILES, acl="path_beg /static/")))
EVERYTHING = replace(
    CONFIG,
    backends=(*OVERFLOWING.backends, BackendConfig("static_cluster", FILES, "static_cloud", "path_end .jpg .css")),
)
DATABASE = replace(CONFIG, slow_start=60.0, database=DatabaseListener("mysql", "127.0.0.1:3306", "10.0.0.5", "2001:db8::5"))


def of(*cores: CoreLine) -> HAProxyConfig:
    """With these core servers in the main backend."""
    return replace(CONFIG, backends=(BackendConfig("app_cluster", cores),))


def lines(config: HAProxyConfig) -> list[str]:
    return [line.strip() for line in render(config).splitlines()]


def accepted(text: str, folder: Path) -> None:
    """Every HAProxy found takes it, and has nothing to say about it."""
    file = folder / "haproxy.cfg"
    file.write_text(text)
    assert found()
    for binary in found().values():
        result = subprocess.run([binary, "-c", "-f", str(file)], check=False, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert "WARNING" not in result.stderr


def section(text: str, title: str) -> str:
    """One section's lines."""
    return text.partition(f"\n{title}\n")[2].partition("\n\n")[0].rstrip() + "\n"


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
    retries 4
    # A request whose server is gone goes to another one. Without it HAProxy 2.6 can crash when a server is deleted.
    option redispatch
    # What only reads is asked again where a server died before its answer; what may have changed something is not.
    retry-on conn-failure empty-response
    # At a reload a client that waits with an open connection gets one more answer, instead of a closed door.
    option idle-close-on-response
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
    http-request disable-l7-retry unless METH_GET
    server core-oslo-01 10.0.0.5:80 weight 100 check inter 1000ms rise 2 fall 3 observe layer4 error-limit 2 on-error mark-down
    server core-oslo-02 10.0.0.6:8080 weight 50 maxconn 200 check inter 1000ms rise 2 fall 3 observe layer4 error-limit 2 on-error mark-down
"""
    )


def test_spillover_sends_to_the_cloud_what_the_core_has_no_room_for() -> None:
    text = render(OVERFLOWING)
    assert text.startswith("# HAProxy for burstd, spillover mode. ")
    assert (
        section(text, "frontend http_front")
        == """\
    bind *:80
    # Spillover: a request goes to the cloud when the core's connections are all taken, when requests wait for it already, or
    # when the core is dead; and only while a burst server is up there.
    acl core_full be_conn(app_cluster) ge 32
    acl core_queue queue(app_cluster) gt 0
    acl core_dead nbsrv(app_cluster) eq 0
    acl cloud_up nbsrv(app_cloud) gt 0
    use_backend app_cloud if cloud_up core_full or cloud_up core_queue or cloud_up core_dead
    default_backend app_cluster
"""
    )
    assert (
        section(text, "backend app_cluster")
        == """\
    # Dynamic, so that servers can be added; requests are shared by weight.
    balance roundrobin
    option httpchk GET /
    http-check expect status 200
    http-request disable-l7-retry unless METH_GET
    server core-oslo-01 10.0.0.5:80 weight 100 maxconn 16 check inter 1000ms rise 2 fall 3 observe layer4 error-limit 2 on-error mark-down
    server core-oslo-02 10.0.0.6:8080 weight 50 maxconn 16 check inter 1000ms rise 2 fall 3 observe layer4 error-limit 2 on-error mark-down
"""
    )
    assert (
        section(text, "backend app_cloud")
        == """\
    # Empty until burstd adds its servers: what comes here, they share evenly.
    balance roundrobin
    # Standbys serve together when no other burst server is left.
    option allbackups
    option httpchk GET /
    http-check expect status 200
    http-request disable-l7-retry unless METH_GET
"""
    )


def test_a_further_backend_gets_the_requests_that_its_acl_names() -> None:
    text = render(SEVERAL)
    assert (
        section(text, "frontend http_front")
        == """\
    bind *:80
    acl to:static_cluster path_beg /static/
    use_backend static_cluster if to:static_cluster
    default_backend app_cluster
"""
    )
    assert "server core-oslo-01 10.0.0.5:8081 weight 100 maxconn 16 " in section(text, "backend static_cluster")


def test_each_backend_spills_over_into_its_own() -> None:
    assert (
        section(render(EVERYTHING), "frontend http_front").partition("up there.\n")[2] == """\
    acl to:static_cluster path_end .jpg .css
    acl core_full:static_cluster be_conn(static_cluster) ge 32
    acl core_queue:static_cluster queue(static_cluster) gt 0
    acl core_dead:static_cluster nbsrv(static_cluster) eq 0
    acl cloud_up:static_cluster nbsrv(static_cloud) gt 0
    use_backend static_cloud if to:static_cluster cloud_up:static_cluster core_full:static_cluster or """
        """to:static_cluster cloud_up:static_cluster core_queue:static_cluster or """
        """to:static_cluster cloud_up:static_cluster core_dead:static_cluster
    use_backend static_cluster if to:static_cluster
    acl core_full be_conn(app_cluster) ge 32
    acl core_queue queue(app_cluster) gt 0
    acl core_dead nbsrv(app_cluster) eq 0
    acl cloud_up nbsrv(app_cloud) gt 0
    use_backend app_cloud if cloud_up core_full or cloud_up core_queue or cloud_up core_dead
    default_backend app_cluster
"""
    )


@pytest.mark.parametrize("config", [CONFIG, OVERFLOWING, SEVERAL, EVERYTHING, DATABASE])
def test_every_haproxy_found_accepts_every_form(config: HAProxyConfig, tmp_path: Path) -> None:
    accepted(render(replace(config, bind="127.0.0.1:8080", socket=str(tmp_path / "admin.sock"))), tmp_path)


def test_haproxy_accepts_it_as_a_service(tmp_path: Path) -> None:
    accepted(render(replace(CONFIG, user="root", group="root", chroot="/", log="/dev/log local0")), tmp_path)


def test_an_ipv6_core_is_accepted(tmp_path: Path) -> None:
    config = of(CoreLine("core", "2001:db8::5"))
    assert (
        "server core [2001:db8::5]:80 weight 100 check inter 1000ms rise 2 fall 3 observe layer4 error-limit 4 on-error mark-down"
        in lines(config)
    )
    accepted(render(config), tmp_path)


def test_who_runs_haproxy_and_where_it_logs_is_left_out_where_it_is_not_said() -> None:
    words = {line.split(" ")[0] for line in lines(CONFIG)}
    assert not words & {"user", "group", "chroot", "log"}
    assert "option httplog" not in lines(CONFIG)


def test_short_times_keep_their_milliseconds() -> None:
    config = replace(CONFIG, check_interval=0.25, connect_timeout=0.5)
    assert "timeout connect 500ms" in lines(config)
    assert any("check inter 250ms" in line for line in lines(config))


def test_the_database_has_a_listener_that_lets_the_primary_alone_take_connections() -> None:
    assert (
        section(render(replace(DATABASE, log="/dev/log local0")), "listen mysql")
        == """\
    mode tcp
    no option idle-close-on-response
    bind 127.0.0.1:3306
    option tcplog
    # A session may say nothing for hours; that its other end is dark is noticed by the system, within half a minute.
    timeout client 28800000ms
    timeout server 28800000ms
    # A session that its client has left ends soon, though a dark server never says so: no order ends those, and they hold a fence.
    timeout client-fin 5000ms
    timeout server-fin 5000ms
    option clitcpka
    clitcpka-idle 15s
    clitcpka-intvl 5s
    clitcpka-cnt 3
    option srvtcpka
    srvtcpka-idle 15s
    srvtcpka-intvl 5s
    srvtcpka-cnt 3
    # One server alone takes connections: burstd takes the primary out before it lets the replica in.
    # The check closes its connection before the database has seen it: no failed login, and no host barred for too many of them.
    server primary 10.0.0.5:3306 check inter 1000ms rise 2 fall 3
    server replica [2001:db8::5]:3306 check inter 1000ms rise 2 fall 3 backup disabled
"""
    )


def test_a_database_without_a_replica_has_its_primary_alone() -> None:
    text = render(replace(CONFIG, database=DatabaseListener("mysql", "127.0.0.1:3306", "10.0.0.5")))
    assert "server primary 10.0.0.5:3306" in text
    assert "server replica" not in text


def test_a_core_that_comes_back_gets_its_share_little_by_little_in_every_backend() -> None:
    assert sum(line.endswith("mark-down slowstart 60000ms") for line in lines(replace(SEVERAL, slow_start=60.0))) == len(CORES) + len(FILES)
    assert not any("slowstart" in line for line in lines(SEVERAL))


def test_burstds_own_check_finds_redispatch_in_it() -> None:
    assert has_option(render(CONFIG), "app_cluster", "redispatch") is True


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (replace(CONFIG, backends=(BackendConfig("app cluster", CORES),)), "backend"),
        (replace(CONFIG, backends=(BackendConfig("app", LIMITED, "cloud;"),)), "backend 'cloud;'"),
        (replace(CONFIG, backends=(BackendConfig("app", LIMITED, "app"),)), "backends"),
        (replace(CONFIG, backends=(*OVERFLOWING.backends, SEVERAL.backends[1])), "backends"),
        (replace(CONFIG, backends=(BackendConfig("app", CORES, acl="path_beg /"),)), "acl"),
        (replace(CONFIG, backends=(*CONFIG.backends, BackendConfig("static", FILES))), "acl None of static"),
        (replace(CONFIG, backends=(*CONFIG.backends, BackendConfig("static", FILES, acl="path #"))), "acl"),
        (replace(CONFIG, backends=(BackendConfig("app", CORES, "cloud"),)), "maxconn of core-oslo-01"),
        (replace(CONFIG, bind="*:80\n    user root"), "bind"),
        (replace(CONFIG, socket="/run/my haproxy.sock"), "socket"),
        (replace(CONFIG, check_path="/health#x"), "check_path"),
        (replace(CONFIG, user="$USER"), "user"),
        (replace(CONFIG, log="/dev/log 'local0'"), "log"),
        (replace(CONFIG, backends=()), "backends"),
        (replace(CONFIG, database=DatabaseListener("app_cluster", "*:3306", "10.0.0.5")), "database.listener 'app_cluster'"),
        (replace(CONFIG, database=DatabaseListener("my sql", "*:3306", "10.0.0.5")), "database.listener 'my sql'"),
        (replace(CONFIG, database=DatabaseListener("mysql", "*:3306 ssl", "10.0.0.5")), "database.bind"),
        (replace(CONFIG, database=DatabaseListener("mysql", "*:3306", "10.0.0.5", "10.1.0.5 weight 0")), "database.replica"),
        (of(), "cores"),
        (of(CORES[0], CORES[0]), "cores"),
        (of(CoreLine("a;b", "10.0.0.5")), "core server"),
        (of(CoreLine("a", "10.0.0.5 backup")), "address"),
    ],
)
def test_a_value_that_would_say_something_else_is_refused(config: HAProxyConfig, key: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        render(config)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(key)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidSettings) as raised:
        render(replace(CONFIG, bind="", backends=(BackendConfig("", ()),)))
    assert len(raised.value.problems) == 3


def test_the_gateway_of_the_article_as_we_mended_it_is_accepted(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "config" / "haproxy.cfg"
    text = shipped.read_text()
    accepted(text, tmp_path)
    assert has_option(text, "app_cluster", "redispatch") is True
    assert has_option(text, "static_cluster", "redispatch") is True
