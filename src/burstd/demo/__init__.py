"""The demo: two complete, equal sites on loopback under the same load, one of them with burstd.

Everything is real but one part: HAProxy, the daemon as a process, libcloud with the `local` driver, requests over TCP. The load averages
stand in for the kernel's (see `burstd.adapters.local.server`), because one machine has only one. It knows nothing of the command line;
`burstd.cli.demo` is its door.
"""
