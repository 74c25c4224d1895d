"""One exchange with the mirror's program on the core server: ssh with a fixed command line, JSON in and out, one deadline for all of it.

Nothing of the operator's own ssh configuration counts, no host key is ever accepted that is not pinned, and nothing is asked twice here.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from burstd.errors import BadCredentials, BurstdError, Garbled, Misconfigured, Unreachable
from burstd.model.content import MirrorAnswer, MirrorTarget, TargetState

PROTOCOL: Final = 1
"""Of the documents, as the program has it."""

_SSH_FAILED: Final = 255
_NOT_FOUND: Final = frozenset({126, 127})
_MEND: Final = 2
_LONGEST: Final = 300


def mirror_program() -> str:
    """The program that the operator installs on the core server, as text."""
    return files(__package__).joinpath("mirror.py").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Core:
    """How the core server is reached.

    Attributes:
        login: USER@HOST.
        port: of its sshd.
        identity: file of the private key.
        known_hosts: file with the host key that is accepted.
        deadline: seconds for one exchange.
    """

    login: str
    port: int
    identity: Path
    known_hosts: Path
    deadline: float

    def keep(self, targets: Sequence[MirrorTarget], *, release: bool = False) -> MirrorAnswer:
        """Have it push to these and no others.

        Raises:
            Retry: it cannot be reached, or answers strangely.
            AskOperator: somebody must mend something; the message says what.
        """
        wanted = [{"address": each.address, "host_key": each.host_key} for each in targets]
        answer = self._ask({"targets": wanted, "release": release})
        try:
            return _parsed(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise Garbled(
                f"{self.login} gave no answer of burstd-mirror's; is its program of this version (burstd render lsyncd)?"
            ) from error

    def look(self) -> Mapping[str, Any]:
        """What is installed there: `versions` by program, `problems` a line each, `held`. Changes nothing; raises as `keep` does."""
        return self._ask({"check": True})

    def _ask(self, document: Mapping[str, Any]) -> dict[str, Any]:
        try:
            ran = subprocess.run(  # noqa: S603 - fixed argv, no shell, and no secret in it
                self._command(), input=json.dumps(document).encode(), capture_output=True, timeout=self.deadline, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(f"{self.login} gave no answer within {self.deadline:g} s") from None
        except FileNotFoundError as error:
            raise Misconfigured("ssh: not found; install openssh-client on the gateway") from error
        except OSError as error:
            raise Unreachable(f"ssh cannot be started, the system says: {error.strerror}") from error
        if ran.returncode:
            raise self._refusal(ran.returncode, ran.stderr.decode("utf-8", "replace"))
        try:
            answer = json.loads(ran.stdout)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Garbled(f"{self.login} answered, and not as burstd-mirror; is it the forced command of burstd's key there?")
        if answer.get("protocol") != PROTOCOL:
            raise Misconfigured(f"{self.login} has another version's burstd-mirror; install this one's (burstd render lsyncd)")
        return answer

    def _command(self) -> list[str]:
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": f'"{self.known_hosts}"',
            "GlobalKnownHostsFile": "none",
            "UpdateHostKeys": "no",
            "ControlPath": "none",
            "ConnectTimeout": str(max(1, math.ceil(self.deadline))),
            "LogLevel": "ERROR",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", "-T", "-a", "-x", *words, "-i", str(self.identity), "-p", str(self.port), "--", self.login, "keep"]

    def _refusal(self, code: int, words: str) -> BurstdError:
        lines = ["".join(each if each.isprintable() else "?" for each in line.strip()) for line in words.splitlines() if line.strip()]
        last = lines[-1][:_LONGEST] if lines else ""
        if code != _SSH_FAILED:
            return self._refused_there(code, last)
        if "Host key verification failed" in words:
            return Misconfigured(
                f"{self.login}: its host key is not the one in {self.known_hosts}; find out why, and only then pin another"
            )
        if "Permission denied" in words:
            return BadCredentials(f"{self.login} does not let burstd in with {self.identity}; put its line into authorized_keys there")
        if "no such identity" in words or "Load key" in words or "UNPROTECTED" in words:
            return BadCredentials(f"{self.identity}: ssh cannot use it as a key; make it, and let burstd's user alone read it")
        return Unreachable(f"{self.login} cannot be reached: {last or 'ssh does not say why'}")

    def _refused_there(self, code: int, last: str) -> BurstdError:
        if code in _NOT_FOUND:
            return Misconfigured(f"{self.login} cannot run its forced command: {last}; install burstd-mirror there (burstd render lsyncd)")
        if not last.startswith("burstd-mirror: "):
            return Garbled(f"{self.login}: its forced command failed with exit code {code}: {last}")
        kind = Misconfigured if code == _MEND else Unreachable
        return kind(f"{self.login} refuses: {last.removeprefix('burstd-mirror: ')}")


def _parsed(answer: Mapping[str, Any]) -> MirrorAnswer:
    states = {
        str(each["address"]): TargetState(
            address=str(each["address"]),
            unit=str(each["unit"]),
            synced=each["synced"] is True,
            delays=None if each["delays"] is None else int(each["delays"]),
            error=str(each["error"]),
        )
        for each in answer["targets"]
    }
    token, held = answer["token"], answer["held"]
    return MirrorAnswer(
        token=None if token is None else str(token),
        states=states,
        files=int(answer["files"]),
        held="" if held is None else str(held["reason"]),
    )
