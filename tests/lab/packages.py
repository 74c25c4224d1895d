"""burstd for the gateway: a wheel of this checkout, and its dependencies from the lock, for the hosts' Python."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.lab.place import ROOT, cache, run, say

PYTHON: Final = "3.11"
"""Debian 12's."""

LAUNCHER: Final = """\
#!/usr/bin/python3 -P
import sys
sys.path[:0] = ["/opt/burstd/lib", "/opt/burstd/packages"]
from burstd.cli import main
sys.exit(main())
"""


def dependencies() -> Path:
    """The folder of everything in requirements.lock; made where it is not there yet."""
    lock = ROOT / "requirements.lock"
    key = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    place = cache() / f"packages-{key}"
    if place.is_dir():
        return place
    cache().mkdir(parents=True, exist_ok=True)
    say("fetching burstd's dependencies for the gateway, once for each requirements.lock")
    made = Path(tempfile.mkdtemp(prefix="making-", dir=cache()))
    words = [*_pip("install"), "--target", str(made), "--require-hashes", "--requirement", str(lock)]
    words += ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp"]
    words += [f"--platform=manylinux{version}_{platform.machine()}" for version in ("_2_36", "_2_34", "_2_28", "_2_17", "2014")]
    try:
        run(words)
        made.chmod(0o755)
        made.rename(place)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return place


def install(layer: Path) -> None:
    """Put burstd itself into the gateway's layer: built as a wheel, unpacked by pip."""
    target = layer / "opt/burstd"
    with tempfile.TemporaryDirectory() as wheels:
        run([*_pip("wheel"), "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, str(ROOT)])
        [wheel] = Path(wheels).glob("*.whl")
        run([*_pip("install"), "--no-deps", "--target", str(target / "lib"), str(wheel)])
    (target / "packages").mkdir()
    (target / "bin").mkdir()
    (target / "bin/burstd").write_text(LAUNCHER)
    (target / "bin/burstd").chmod(0o755)
    (layer / "usr/local/bin").mkdir(parents=True)
    (layer / "usr/local/bin/burstd").symlink_to("/opt/burstd/bin/burstd")


def _pip(verb: str) -> list[str]:
    return [sys.executable, "-m", "pip", verb, "--quiet", "--no-input", "--disable-pip-version-check"]
