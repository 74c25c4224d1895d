"""Fresh ssh host keys, by OpenSSH's own ssh-keygen: what it writes every sshd reads. They touch a private folder and are gone from it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from burstd.errors import Misconfigured
from burstd.model.content import HostKey

_PATIENCE: Final = 5.0
"""Seconds: an ed25519 key takes milliseconds, and a cycle must not hang for one."""


def new_host_key() -> HostKey:
    """One ed25519 key.

    Raises:
        Misconfigured: ssh-keygen is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="burstd-") as folder:
        file = Path(folder) / "key"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)]
        try:
            subprocess.run(  # noqa: S603 - fixed argv, no shell, and no secret in it
                command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE
            )
            private, public = file.read_text(encoding="ascii"), file.with_suffix(".pub").read_text(encoding="ascii")
        except (OSError, subprocess.SubprocessError) as error:
            raise Misconfigured("ssh-keygen made no host key; install openssh-client, and let burstd write to its /tmp") from error
    return HostKey(private, " ".join(public.split()[:2]))
