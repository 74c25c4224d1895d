"""The lab's web site: a prefork server whose requests cost CPU time and sleep nothing, so that load is load.

    /health          200 and "ok", at no cost
    /app/NAME        the file's content, after COST milliseconds of this host's CPU; 404 where there is no such file
    anything else    the file's content from the web root, at no cost

Every answer says who gave it (X-Served-By). Each worker is a process: threads of one Python stay near a load of 1. Settings come
from the environment: SITE_WORKERS, SITE_COST_MS, SITE_ROOT, SITE_NAME, SITE_ADDRESS.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import TCPServer

ROOT = Path(os.environ.get("SITE_ROOT", "/var/www/html"))
COST = float(os.environ.get("SITE_COST_MS", "18")) / 1000
WORKERS = int(os.environ.get("SITE_WORKERS", "16"))
NAME = os.environ.get("SITE_NAME") or socket.gethostname()
HOST, _, PORT = os.environ.get("SITE_ADDRESS", "0.0.0.0:80").rpartition(":")


class Exchange(BaseHTTPRequestHandler):
    """One request for each connection, so that no idle one holds a worker."""

    protocol_version = "HTTP/1.0"
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""

    def do_GET(self) -> None:
        """The file, dear or free."""
        path = self.path.partition("?")[0]
        if path == "/health":
            return self.answer(200, b"ok\n")
        if path.startswith("/app/"):
            burn(COST)
            path = path.removeprefix("/app")
        try:
            file = (ROOT / path.lstrip("/")).resolve()
            body = file.read_bytes() if file.is_relative_to(ROOT.resolve()) else None
        except OSError:
            body = None
        return self.answer(404, b"not here\n") if body is None else self.answer(200, body)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def answer(self, status: int, body: bytes) -> None:
        """A whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Served-By", NAME)
        self.send_header("X-Path", self.path)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Door(HTTPServer):
    """The listening socket, shared by all workers."""

    request_queue_size = 1024

    def server_bind(self) -> None:
        """Bind without asking the DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(PORT)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error."""


def burn(seconds: float) -> None:
    """Spend this much CPU time."""
    end = time.thread_time() + seconds
    number = 1
    while time.thread_time() < end:
        for _ in range(200):
            number = number * 48271 % 2147483647


def main() -> None:
    """Fork the workers and wait for the end."""
    door = Door((HOST, int(PORT)), Exchange)
    workers = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            door.serve_forever(poll_interval=3600)
        workers.append(pid)

    def stop(*_: object) -> None:
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    workers.remove(os.wait()[0])  # one has died: the others go, and systemd starts all of them anew
    stop()


if __name__ == "__main__":
    main()
