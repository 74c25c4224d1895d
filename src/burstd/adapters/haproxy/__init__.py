"""HAProxy's runtime socket as the `Gateway` port: the only door to HAProxy.

`runtime` is the transport, `answers` the parsing, `commands` the edits' wording and judging, `gateway` the port, `probe` what
`burstd check` asks. Nothing here writes HAProxy's configuration or reloads it.
"""

from burstd.adapters.haproxy.gateway import HAProxyGateway

__all__ = ["HAProxyGateway"]
