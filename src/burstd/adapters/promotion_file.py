"""The `PromotionRecord` port on two small files of the state folder, which verbs and daemon share; neither needs the other.

promotion.json is durable and says that a promotion was begun, and how far it has come; sighting.json is what the primary was last seen
to have, written every few seconds without waiting for the disk. Neither is mended when damaged: a record that cannot be read is told.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from burstd.adapters.durable import hand_over, keep_names, lock, write_durably
from burstd.errors import AlreadyRunning, Misconfigured
from burstd.model.promotion import Promotion, Sighting

_PROMOTION: Final = TypeAdapter(Promotion)
_SIGHTING: Final = TypeAdapter(Sighting)


class PromotionFile:
    """The record in one state folder."""

    def __init__(self, state_dir: Path) -> None:
        """Nothing is read yet, and nothing made."""
        self._folder = state_dir
        self._promotion = state_dir / "promotion.json"
        self._sighting = state_dir / "sighting.json"

    def promotion(self) -> Promotion | None:
        """What is on record, as the port has it."""
        try:
            return _PROMOTION.validate_json(self._promotion.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            said = f"expected a file that can be read, the system says: {error.strerror}"
            raise Misconfigured(f"{self._promotion}: {said}; run this as burstd's user, or as root (sudo)") from error
        except ValidationError as error:
            raise Misconfigured(
                f"{self._promotion}: expected the record of a promotion, it is damaged; see by `burstd db status` who is the primary, move "
                "the file away, and say `burstd db promote` again if the replica is to be it"
            ) from error

    def keep(self, promotion: Promotion | None) -> None:
        """Store it, or that there is none, as the port has it."""
        try:
            if promotion is None:
                self._promotion.unlink(missing_ok=True)
                keep_names(self._folder)
            else:
                self._folder.mkdir(0o700, parents=True, exist_ok=True)
                write_durably(self._promotion, _PROMOTION.dump_json(promotion, indent=2).decode() + "\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def sighting(self) -> Sighting | None:
        """What was last known of the primary, as the port has it."""
        try:
            return _SIGHTING.validate_json(self._sighting.read_bytes())
        except (OSError, ValidationError):
            return None

    def see(self, sighting: Sighting) -> None:
        """Remember it, as the port has it; a verb and the daemon may do so at once."""
        new = self._sighting.with_name(f"sighting.{os.getpid()}.{threading.get_ident()}.new")
        with suppress(OSError):  # where nothing can be written, the record says so when it is needed
            new.write_bytes(_SIGHTING.dump_json(sighting))
            hand_over(new)
            new.replace(self._sighting)

    @contextmanager
    def hold(self, wait: float = 0.0) -> Iterator[None]:
        """Keep others from promoting, as the port has it."""
        ends = time.monotonic() + wait
        try:
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
            while isinstance(taken := lock(self._folder / "promotion.lock"), str) and time.monotonic() < ends:
                time.sleep(0.05)
        except OSError as error:
            raise self._unwritable(error) from error
        if isinstance(taken, str):
            raise AlreadyRunning(f"pid {taken} is promoting already; wait for it, or look with `burstd db status`")
        try:
            yield
        finally:
            os.close(taken)

    def _unwritable(self, error: OSError) -> Misconfigured:
        said = f"expected a folder that can be written, the system says: {error.strerror}"
        return Misconfigured(f"fleet.state_dir {self._folder}: {said}; run this as burstd's user, or as root (sudo)")
