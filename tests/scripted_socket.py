"""A peer on a unix socket that answers by script: what HAProxy would never say, said."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Script = Callable[[str, socket.socket, threading.Event], bool]
"""Answer one line on the connection; False ends the connection. The event is set when the test is over."""


@contextmanager
def scripted_socket(script: Script) -> Iterator[Path]:
    """The path of a unix socket at which `script` is asked about every line that comes in."""
    folder = Path(tempfile.mkdtemp(prefix="burstd-"))
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "peer.sock"))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, script, over), daemon=True)
        thread.start()
        try:
            yield folder / "peer.sock"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=15)
            shutil.rmtree(folder, ignore_errors=True)


def _serve(listener: socket.socket, script: Script, over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("r", encoding="utf-8") as lines:
            try:
                for line in lines:
                    if not script(line.rstrip("\n"), connection, over):
                        break
            except OSError:
                continue  # the client has gone away, as it should
