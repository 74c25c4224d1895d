"""Clients of the database who write by the gateway's listener, and remember which of their writes were acknowledged.

python -m tests.lab.drill.writers WRITERS      in the network of the gateway; a line for each acknowledged write: its id
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tests.lab import container
from tests.lab.hosts import GATEWAY_HOST
from tests.lab.place import KEYS, ROOT

WRITERS: Final = 4
EVERY: Final = 0.05
"""Seconds between two writes of one writer."""

SPACING: Final = 10_000_000
"""Between the writers' ids."""


class Writes:
    """Ids of acknowledged writes; it grows while they write."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []


@contextmanager
def writing(first: int) -> Iterator[Writes]:
    """Write ids from `first` on until the block is left."""
    writes = Writes()
    words = container.within_network(GATEWAY_HOST.name, sys.executable, "-m", "tests.lab.drill.writers", str(WRITERS), str(first))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:

        def read() -> None:
            writes.acknowledged.extend(int(line) for line in process.stdout or ())

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield writes
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            reader.join()


def main(writers: int, first: int) -> None:
    """Write until SIGTERM."""
    import pymysql

    ended, printing = threading.Event(), threading.Lock()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    password = (KEYS / "database").read_text()

    def write(ids: Iterator[int]) -> None:
        while not ended.is_set():
            with (
                suppress(pymysql.Error, OSError),
                pymysql.connect(
                    host=GATEWAY_HOST.address, user="shop", password=password, database="shop", autocommit=True,
                    connect_timeout=3, read_timeout=5, write_timeout=5,
                ) as connection,
                connection.cursor() as cursor,
            ):  # fmt: skip
                while not ended.wait(EVERY):
                    number = next(ids)
                    cursor.execute("INSERT INTO orders VALUES (%s)", (number,))
                    with printing:
                        sys.stdout.write(f"{number}\n")
                        sys.stdout.flush()
            ended.wait(0.5)

    threads = [threading.Thread(target=write, args=(itertools.count(first + each * SPACING),)) for each in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
