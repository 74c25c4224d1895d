"""The user-data of a pool's instances, Debian or Ubuntu: a Jinja template that burstd fills in at each launch, for cloud-init.

Text only. What is known from the settings stands in it; what differs by pool, and the ssh host key that differs by instance, are Jinja's
`{{ … }}`, for which burstd's own template variables are meant (settings.pools).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from textwrap import indent
from typing import Final

from burstd.render.lsyncd import MirrorConfig, admits_core

HEALTHY: Final = "/usr/local/share/burstd/healthy"
"""What is served at the check path. Outside the content's folder: the mirror deletes there what the core has not."""


class Web(StrEnum):
    """Web servers, each by the name of its Debian package and of its service."""

    NGINX = "nginx"
    APACHE2 = "apache2"
    LIGHTTPD = "lighttpd"


@dataclass(frozen=True, slots=True)
class CloudInitConfig:
    """What differs from one site to the next.

    Attributes:
        root: the folder that is served.
        mirror: how the core pushes the content there; None: it does not, and the image brings it.
    """

    web: Web
    root: str
    mirror: MirrorConfig | None


def render(config: CloudInitConfig) -> str:
    """The template's text.

    Raises:
        InvalidSettings: the mirror's folder is no plain path, or its key is none.
    """
    return "".join(f"{line}\n" for line in _lines(config))


def _lines(config: CloudInitConfig) -> Iterator[str]:
    yield from _HEAD
    yield from _keys(config.mirror) if config.mirror else ()
    yield "bootcmd:"
    yield f"  - [mkdir, -p, {config.root}]"
    yield ""
    yield "package_update: true"
    yield "packages:"
    yield f"  - {config.web}"
    yield from ("  - rsync",) if config.mirror else ()
    yield from _when("metrics_port is defined", "  - prometheus-node-exporter")
    yield ""
    yield "write_files:"
    yield from _when('check_path != "/"', *_file(HEALTHY, "ok"))
    yield from _file(_PLACES[config.web], _site(config).rstrip("\n"))
    yield ""
    yield "runcmd:"
    if config.mirror:
        yield "  # What the packages have put there goes at the first push: the folder is the core's."
        yield f"  - [chown, -R, {config.mirror.user}, {config.root}]"
    for command in _COMMANDS[config.web]:
        yield f"  - {command}"
    yield from _when(
        "metrics_port is defined and metrics_port != 9100",
        "  - echo 'ARGS=\"--web.listen-address=:{{ metrics_port }}\"' >/etc/default/prometheus-node-exporter",
        "  - systemctl restart prometheus-node-exporter",
    )


def _keys(mirror: MirrorConfig) -> Iterator[str]:
    """The host key that the core knows already, and the one user whom it may reach."""
    yield "# The only host key: burstd made it for this instance, and the core knows it before the instance has booted."
    yield "ssh_deletekeys: true"
    yield "ssh_keys:"
    yield '  ed25519_private: "{{ host_key_private }}"'
    yield '  ed25519_public: "{{ host_key_public }}"'
    yield ""
    yield "# The core writes the content, from its own addresses, and can do nothing else here."
    yield "users:"
    yield "  - default"
    yield f"  - name: {mirror.user}"
    yield "    shell: /bin/sh"
    yield "    lock_passwd: true"
    yield "    ssh_authorized_keys:"
    # Without its comment, in which a quote or a brace could stand.
    kind, content = mirror.push_key.split()[:2]
    line = admits_core(mirror).rstrip("\n").partition(f" {kind} ")[0]
    yield f"      - '{line} {kind} {content}'"
    yield ""


def _site(config: CloudInitConfig) -> str:
    """The web server's own configuration."""
    text = {Web.NGINX: _NGINX, Web.APACHE2: _APACHE2, Web.LIGHTTPD: _LIGHTTPD}[config.web]
    return text.replace("ROOT", config.root).replace("HEALTHY", HEALTHY)


def _file(path: str, text: str) -> tuple[str, ...]:
    """One element of write_files."""
    return (f"  - path: {path}", "    content: |", *indent(text, "      ").splitlines())


def _when(condition: str, *lines: str) -> Iterator[str]:
    """These lines, if at the launch the condition holds; nothing is left of it where it does not, not even an empty line."""
    yield f"{{%- if {condition} %}}"
    yield from lines
    yield "{%- endif %}"


_HEAD: Final = (
    "#cloud-config",
    "# The user-data of a pool's instances: name this file in the pool's user_data, with .j2 at its end. burstd fills in what stands in",
    "# braces at each launch; it knows fleet, pool, image, size, location, tags, port, check_path and metrics_port. What your application",
    "# needs beside the web server belongs in here too.",
    "",
)

_PLACES: Final = {
    Web.NGINX: "/etc/nginx/conf.d/burstd.conf",
    Web.APACHE2: "/etc/apache2/sites-enabled/burstd.conf",
    Web.LIGHTTPD: "/etc/lighttpd/conf-enabled/99-burstd.conf",
}

_COMMANDS: Final = {
    Web.NGINX: ("rm -f /etc/nginx/sites-enabled/default", "systemctl restart nginx"),
    Web.APACHE2: ("rm -f /etc/apache2/sites-enabled/000-default.conf", "systemctl restart apache2"),
    Web.LIGHTTPD: ("systemctl restart lighttpd",),
}
"""The package's own site goes: it would answer on the same port."""

_NGINX: Final = """\
server {
    listen {{ port }};
    listen [::]:{{ port }};
    root ROOT;
    index index.html;
{%- if check_path != "/" %}
    location = "{{ check_path.partition("?")[0] }}" { default_type text/plain; alias HEALTHY; }
{%- endif %}
}
"""

_APACHE2: Final = """\
{%- if port != 80 %}
Listen {{ port }}
{%- endif %}
<VirtualHost *:{{ port }}>
    DocumentRoot ROOT
{%- if check_path != "/" %}
    Alias "{{ check_path.partition("?")[0] }}" "HEALTHY"
{%- endif %}
</VirtualHost>
<Directory ROOT>
    Require all granted
</Directory>
<Directory /usr/local/share/burstd>
    Require all granted
</Directory>
"""

_LIGHTTPD: Final = """\
server.document-root := "ROOT"
server.port := {{ port }}
{%- if check_path != "/" %}
alias.url += ( "{{ check_path.partition("?")[0] }}" => "HEALTHY" )
{%- endif %}
"""
