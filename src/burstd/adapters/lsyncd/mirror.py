#!/usr/bin/env python3
"""burstd-mirror: keeps the list of those to whom the core's content is pushed. It runs on the core server, and is part of burstd.

It is the forced command of burstd's ssh key, and runs as the user who owns the mirror, never as root:

    restrict,command="/usr/local/bin/burstd-mirror --root /var/www/html" ssh-ed25519 AAAA...

It reads one JSON document on standard input, the whole wanted list, makes it so, and answers one JSON document; the same document twice
changes nothing the second time. For each target there is one unit `lsyncd@ADDRESS.service` of the user's own systemd, so that a target that
is dark or joins touches no other. At its end every call writes a fresh token into the content: a token that was written after lsyncd said
that its first run is over proves, wherever it is read, that everything before it is there.

Where more than a part of the files is gone within a minute, or rsync stopped because it had too much to delete, nothing is pushed any more
until somebody has looked: every unit is stopped, and only {"release": true} lifts that.

    {"targets": [{"address": "203.0.113.7", "host_key": "ssh-ed25519 AAAA..."}], "release": false}     keep this list
    {"check": true}                                                                                    look, and change nothing

One file, Python 3.9 and later, the standard library alone. A refusal is one line on standard error: exit code 2 where somebody must mend
something, 1 where trying again may help.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROTOCOL = 1
"""Of both documents; it grows when an older burstd could misread the answer."""

LARGEST = 1 << 20
"""Bytes of the input: 1,000 targets fill a fifth of it."""

MOST = 1000
"""Targets of one list; as many as burstd's fleet.max allows."""

WINDOW = 60.0
"""Seconds of the deletion storm."""

SPARED = 5
"""So few deletions are never a storm, however small the site; the loss of all files always is."""

UNLIMITED = 2147483647
"""What rsync takes for no limit, for the run that follows a release."""

PATIENCE = 20.0
"""Seconds that a call waits for the one before it, and systemctl may take."""

SSH_PORT = 22

LARGEST_LOG = 1 << 20
"""Bytes of a log before its older part goes: lsyncd names every file that it sends."""

TAIL = 1 << 18

HELD = "25"
"""Exit status of an lsyncd that stopped at rsync's --max-delete (rsync's own code for that, which the rendered lsyncd.lua hands on)."""

UNIT = "lsyncd@{}.service"
HOST_KEY = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{32,}={0,3}")
BEGUN = re.compile(r"--- (?:Startup|OVERFLOW|HUP) ")
"""A first run begins, or soon will: lsyncd starts anew in the same process when inotify has dropped events, and on SIGHUP."""

SYNCED = re.compile(r"Startup of .* finished\.")
TROUBLE = re.compile(r"error|denied|refused|fail|timed out|no route|unreachable|verification|lost connection", re.IGNORECASE)


class Refused(Exception):
    """One line for whoever called, and the exit code."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.code = code


def wanted_of(text: str) -> dict[str, Any]:
    """The document, checked; nothing is trusted that has not been looked at.

    Raises:
        Refused: it is not what was expected.
    """
    try:
        if len(text) > LARGEST:
            raise Refused(f"input: expected at most {LARGEST} bytes")
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("input: expected one JSON document") from None
    if not isinstance(document, dict):
        raise Refused("input: expected a JSON object")
    if document == {"check": True}:
        return document
    unknown = sorted(set(document) - {"targets", "release"})
    if unknown:
        raise Refused(f"{unknown[0][:40]!r}: unknown key; expected targets and release, or check alone")
    targets, release = document.get("targets"), document.get("release", False)
    if not isinstance(targets, list) or len(targets) > MOST:
        raise Refused(f"targets: expected a list of at most {MOST}")
    if not isinstance(release, bool):
        raise Refused("release: expected true or false")
    keys = {}
    for number, target in enumerate(targets):
        address, key = _target(target, f"targets[{number}]")
        if address in keys:
            raise Refused(f"targets[{number}].address: {address} is there twice")
        keys[address] = key
    return {"targets": keys, "release": release}


def _target(target: object, place: str) -> tuple[str, str]:
    if not isinstance(target, dict) or set(target) != {"address", "host_key"}:
        raise Refused(f"{place}: expected an object of address and host_key")
    address, key = target["address"], target["host_key"]
    try:
        plain = str(ipaddress.ip_address(address)) if isinstance(address, str) else None
    except ValueError:
        plain = None
    if plain is None or plain != address:
        raise Refused(f"{place}.address: expected an IP address as it is written shortest")
    if not isinstance(key, str) or not HOST_KEY.fullmatch(key):
        raise Refused(f"{place}.host_key: expected a public key as in authorized_keys, without a comment")
    return address, key


def write(path: Path, text: str, mode: int = 0o600, mtime: float | None = None) -> bool:
    """Replace a file as one step, where its text is another; whether it was. None: it was changed now."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == text:
            return False
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if mtime is not None:
        os.utime(new, (mtime, mtime))
    new.replace(path)
    return True


def tail(path: Path) -> str:
    """The end of a log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def said(error: OSError) -> str:
    """What the system said, without the number."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


class Systemd:
    """The user's own systemd, and of it the units of one template."""

    def __init__(self) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")

    def call(self, *words: str) -> str:
        """What `systemctl --user` answers.

        Raises:
            Refused: it cannot be asked, or refuses.
        """
        command = ["systemctl", "--user", "--no-pager", *words]
        try:
            ran = subprocess.run(  # noqa: S603 - fixed words and checked addresses, no shell
                command, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise Refused("systemctl: not found; this program needs systemd") from None
        except subprocess.TimeoutExpired:
            raise Refused(f"systemctl {words[0]}: no answer within {PATIENCE:g} s", 1) from None
        if ran.returncode:
            last = ran.stderr.strip().splitlines()[-1:] or [f"exit code {ran.returncode}"]
            raise Refused(
                f"systemctl --user {words[0]}: {last[0][:200]}; is lingering on (loginctl enable-linger), and lsyncd@.service installed?"
            )
        return ran.stdout

    def units(self) -> dict[str, dict[str, str]]:
        """Every loaded unit of the template by its address: ActiveState, InvocationID and ExecMainStatus."""
        listed = self.call("list-units", "--all", "--plain", "--no-legend", "--full", UNIT.format("*"))
        names = [line.split()[0] for line in listed.splitlines() if line.strip()]
        found = {}
        if names:
            shown = self.call("show", "--property=Id,ActiveState,InvocationID,ExecMainStatus", *names)
            for block in shown.strip().split("\n\n"):
                fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
                address = fields.get("Id", "")[len("lsyncd@") : -len(".service")]
                if fields.get("Id") == UNIT.format(address):
                    found[address] = fields
        return found

    def start(self, addresses: list[str]) -> None:
        """Start units, and those that have given up again."""
        if addresses:
            names = [UNIT.format(address) for address in addresses]
            with contextlib.suppress(Refused):
                self.call("reset-failed", *names)
            self.call("start", "--no-block", *names)

    def stop(self, addresses: list[str]) -> None:
        """Stop units; they are gone when this returns."""
        if addresses:
            names = [UNIT.format(address) for address in addresses]
            self.call("stop", *names)
            with contextlib.suppress(Refused):
                self.call("reset-failed", *names)


class Mirror:
    """One call's work on the state folder, the content and the units, under the lock."""

    def __init__(self, root: Path, token_path: str, max_delete: float, port: int, state: Path) -> None:
        self.root = root
        self.token = root / token_path.lstrip("/")
        self.max_delete = max_delete
        self.port = port
        self.state = state
        self.systemd = Systemd()
        self.marker = state / "hold.json"
        self.memory = self._remembered()

    def _remembered(self) -> dict[str, Any]:
        """What the calls before have left.

        counts: (time, files) of the last minute. runs: by address, the unit's run that was seen synced. once: who has ever been synced.
        free: whose next first run may delete without a limit.
        """
        memory: dict[str, Any] = {"counts": [], "runs": {}, "once": [], "free": []}
        try:
            found = json.loads((self.state / "memory.json").read_text(encoding="utf-8"))
            counts = [[float(at), int(count)] for at, count in found["counts"]]
            memory = {"counts": counts, "runs": dict(found["runs"]), "once": list(found["once"]), "free": list(found["free"])}
        except (OSError, ValueError, TypeError, KeyError):
            pass  # what is lost is learned again, and no limit is lifted by it
        return memory

    def keep(self, targets: dict[str, str], *, release: bool) -> dict[str, Any]:
        """Make the list so; the answer."""
        now, files = time.time(), self.count()
        units = self.systemd.units()
        states = {address: self.look(address, units.get(address, {})) for address in targets}
        held = self.held()
        if held and release:
            self.release(targets, now, files)
            held = self.storm(targets, {}, now, files)
        elif not held:
            held = self.storm(targets, units, now, files)
        token = None
        if held:
            self.systemd.stop(sorted(address for address, unit in units.items() if unit["ActiveState"] not in {"inactive", "failed"}))
        else:
            self.arrange(targets, units, states, files)
            token = secrets.token_hex(16)
            self.write_token(token)  # last of all: what was said of the targets was true before it
        write(self.state / "memory.json", json.dumps(self.memory))
        told = [{"address": address, **state} for address, state in states.items()]
        return {"protocol": PROTOCOL, "token": token, "files": files, "held": held, "targets": told}

    def write_token(self, token: str) -> None:
        """Write it, in a second of its own: what has the same size and second is the same to rsync (rsync(1), quick check)."""
        if not self.token.parent.is_dir():
            self.token.parent.mkdir(parents=True)
            self.token.parent.chmod(0o755)
        try:
            earliest = int(self.token.stat().st_mtime) + 1
        except FileNotFoundError:
            earliest = 0
        write(self.token, token + "\n", 0o644, mtime=max(time.time(), earliest))

    def count(self) -> int:
        """Files under the root, the token's folder left out.

        Raises:
            Refused: the root cannot be read: there is nothing to be pushed.
        """
        aside = self.token.parent if self.token.parent != self.root else None
        total = 0

        def broken(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError) or error.filename == str(self.root):
                raise Refused(f"--root {said(error)}")

        for folder, _, names in os.walk(self.root, onerror=broken):
            if folder != str(aside):
                total += len(names)
        return total - (aside is None and self.token.exists())

    def held(self) -> dict[str, Any] | None:
        """Why nothing is pushed, and since when; None where all is well."""
        try:
            text = self.marker.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            marker = json.loads(text)
            return {"since": float(marker["since"]), "reason": str(marker["reason"])}
        except (ValueError, TypeError, KeyError):
            return {"since": self.marker.stat().st_mtime, "reason": "its marker cannot be read"}

    def hold(self, reason: str, now: float) -> dict[str, Any]:
        """Push nothing any more, until a release; durable before any unit is stopped."""
        write(self.marker, json.dumps({"since": now, "reason": reason}))
        self.memory["counts"] = []
        return {"since": now, "reason": reason}

    def storm(self, targets: dict[str, str], units: dict[str, dict[str, str]], now: float, files: int) -> dict[str, Any] | None:
        """Look for a deletion storm, and begin the hold where there is one."""
        before = self.memory["counts"]
        counts = [each for each in before if now - WINDOW <= each[0] <= now] or before[-1:]
        most = max((count for _, count in counts), default=0)
        self.memory["counts"] = [*counts, [now, files]][-600:]
        gone = most - files
        if not files and (most or not before):
            return self.hold(f"there is no file left under {self.root}" if most else f"there is no file under {self.root}", now)
        if gone > SPARED and gone > self.max_delete * most:
            within = max(WINDOW, now - counts[0][0])
            return self.hold(f"{gone} of {most} files were deleted within {within:.0f} s, more than {self.max_delete:g} of them", now)
        for address in targets:
            unit = units.get(address, {})
            if unit.get("ActiveState") == "failed" and unit.get("ExecMainStatus") == HELD:
                if address in self.memory["once"]:
                    return self.hold(f"more was to be deleted on {address} at once than --max-delete allows", now)
                # Files of its image's own: it takes no traffic yet, and nobody misses them.
                self.memory["free"] = sorted({*self.memory["free"], address})
        return None

    def release(self, targets: dict[str, str], now: float, files: int) -> None:
        """Lift the hold: what is gone is meant to be gone, so each target's next first run deletes without a limit."""
        self.memory.update(counts=[[now, files]], free=sorted(targets), runs={})
        write(self.state / "memory.json", json.dumps(self.memory))
        self.marker.unlink()

    def look(self, address: str, unit: dict[str, str]) -> dict[str, Any]:
        """What is known of a target, before anything of it is changed."""
        state, invocation = unit.get("ActiveState", "inactive"), unit.get("InvocationID", "")
        text, words = tail(self.state / f"{address}.log"), tail(self.state / f"{address}.err")
        run = BEGUN.split(text)[-1]
        known = bool(invocation) and self.memory["runs"].get(address) == invocation
        synced = state == "active" and (SYNCED.search(run) is not None or (known and not BEGUN.search(text)))
        if synced:
            self.memory["runs"][address] = invocation
            self.memory["once"] = sorted({*self.memory["once"], address})
        for name in (".log", ".err"):
            # Whoever writes there appends, so that it can be cut while they run.
            with contextlib.suppress(FileNotFoundError):
                if (self.state / f"{address}{name}").stat().st_size > LARGEST_LOG and (known or not synced):
                    os.truncate(self.state / f"{address}{name}", 0)
        delays = re.search(r"There are (\d+) delays", tail(self.state / f"{address}.status"))
        return {
            "unit": state,
            "synced": synced,
            "delays": int(delays.group(1)) if delays and state == "active" else None,
            "error": "" if synced and not _failing(run) else _trouble(run, words),
        }

    def arrange(self, targets: dict[str, str], units: dict[str, dict[str, str]], states: dict[str, dict[str, Any]], files: int) -> None:
        """Pinned keys and one environment file each first; then who is too much stops, and who is missing starts."""
        memory, pinned = self.memory, self._pinned()
        moved = {address for address, key in targets.items() if pinned.get(self._place(address), key) != key}
        freed = {address for address in memory["free"] if address in targets and states[address]["synced"]}
        memory["free"] = [each for each in memory["free"] if each in targets and each not in freed]
        lines = (f"{self._place(address)} {key}\n" for address, key in sorted(targets.items()))
        write(self.state / "known_hosts", "".join(lines))
        limit = max(SPARED, int(self.max_delete * files))
        port = "" if self.port == SSH_PORT else f"PORT={self.port}\n"
        for address in targets:
            write(self.state / f"{address}.env", f"MAX_DELETE={UNLIMITED if address in memory['free'] else limit}\n{port}")
        running = {address for address, unit in units.items() if unit["ActiveState"] not in {"inactive", "failed"}}
        # A new machine under an old address is a new target; and who was free of the limit for one run gets it back.
        again = moved | freed
        self.systemd.stop(sorted((running - set(targets)) | (running & again)))
        for address in again:
            states[address].update(unit="inactive", synced=False, delays=None, error="")
        for path in self.state.glob("*.env"):
            if path.stem not in targets:
                for suffix in (".env", ".log", ".err", ".status"):
                    with contextlib.suppress(FileNotFoundError):
                        (self.state / f"{path.stem}{suffix}").unlink()
        memory["runs"] = {address: run for address, run in memory["runs"].items() if address in targets and address not in again}
        memory["once"] = [address for address in memory["once"] if address in targets and address not in moved]
        self.systemd.start(sorted(set(targets) - (running - again)))

    def _place(self, address: str) -> str:
        """A target as known_hosts names it."""
        return address if self.port == SSH_PORT else f"[{address}]:{self.port}"

    def _pinned(self) -> dict[str, Any]:
        try:
            lines = (self.state / "known_hosts").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split(" ", 1) for line in lines if " " in line)

    def check(self) -> dict[str, Any]:
        """What is installed here, and what is missing, a line each; nothing is changed."""
        problems = []
        own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        versions: dict[str, str | None] = {"python": platform.python_version()}
        for program, words in (("lsyncd", ["-version"]), ("rsync", ["--version"]), ("ssh", ["-V"])):
            versions[program] = _version(program, words)
            if versions[program] is None:
                problems.append(f"{program}: not found; install it")
        if os.geteuid() == 0:
            problems.append("it runs as root; make a user for it")
        if not os.access(self.root, os.R_OK | os.X_OK):
            problems.append(f"--root {self.root}: cannot be read; name the content's folder, and let this user read it")
        elif not os.access(self.token.parent, os.W_OK | os.X_OK) and not (
            os.access(self.root, os.W_OK | os.X_OK) and not self.token.parent.exists()
        ):
            problems.append(f"{self.token.parent}: cannot be written; make this folder and give it to this user")
        try:
            installed = self.systemd.call("list-unit-files", "--no-legend", UNIT.format(""))
            if not installed.strip():
                problems.append("lsyncd@.service: not installed for this user; burstd render lsyncd prints it")
        except Refused as error:
            problems.append(str(error))
        return {"protocol": PROTOCOL, "program": own, "versions": versions, "problems": problems, "held": self.held()}


def _failing(run: str) -> bool:
    """The last thing that lsyncd tried did not work."""
    return max(run.rfind(" Error:"), run.rfind("Retrying")) > max(run.rfind("Finished"), run.rfind(" finished."))


def _trouble(run: str, words: str) -> str:
    """The last line that says what is wrong: ssh's own where there is one, else rsync's, else lsyncd's."""
    last = words.splitlines()[-10:]
    for lines in ([line for line in last if not line.startswith("rsync")], last, run.splitlines()):
        lines = [line.strip() for line in lines if not line.startswith("/") and TROUBLE.search(line)]  # noqa: PLW2901 - as they are now
        if lines:
            return "".join(each if each.isprintable() else "?" for each in lines[-1][-200:])
    return ""


def _version(program: str, words: list[str]) -> str | None:
    path = shutil.which(program)
    if path is None:
        return None
    ran = subprocess.run(  # noqa: S603 - fixed words, no shell
        [path, *words], capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
    )
    found = re.search(r"\d+\.\d+[\w.]*", ran.stdout + ran.stderr)
    return found.group(0) if found else "unknown"


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """The state folder, made where it is missing, and nobody else's for as long as this lasts."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Refused(f"another call has held {state} for {PATIENCE:g} s; try again", 1) from None
                time.sleep(0.05)
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="burstd-mirror", description="Keep the list of those to whom the core's content is pushed.")
    parser.add_argument("--root", type=Path, default=Path("/var/www/html"), help="folder of the content (default: %(default)s)")
    parser.add_argument("--token", default="/.burstd/token", help="where the token lies under it (default: %(default)s)")
    parser.add_argument(
        "--max-delete", type=float, default=0.25, help="part of the files whose loss in a minute is a storm (default: %(default)s)"
    )
    parser.add_argument("--state", type=Path, default=Path("~/.local/state/burstd-mirror"), help="folder of its own (default: %(default)s)")
    parser.add_argument("--port", type=int, default=SSH_PORT, help="of sshd on the targets (default: %(default)s)")
    return parser


def answer(options: argparse.Namespace, text: str) -> dict[str, Any]:
    """What one call comes to.

    Raises:
        Refused: one line and an exit code.
        OSError: the system refuses.
    """
    if not 0 < options.max_delete <= 1 or ".." in Path(options.token).parts:
        raise Refused("--max-delete: expected a part above 0 and up to 1, and --token: a path under the root")
    wanted = wanted_of(text)
    state = options.state.expanduser().absolute()
    with alone(state):
        mirror = Mirror(options.root, options.token, options.max_delete, options.port, state)
        return mirror.check() if "check" in wanted else mirror.keep(wanted["targets"], release=wanted["release"])


def main() -> int:
    """One call; the exit code."""
    options = _parser().parse_args()
    try:
        text = sys.stdin.buffer.read(LARGEST + 1).decode("utf-8", "replace")
        sys.stdout.write(json.dumps(answer(options, text)) + "\n")
    except Refused as error:
        sys.stderr.write(f"burstd-mirror: {error}\n")
        return error.code
    except OSError as error:
        sys.stderr.write(f"burstd-mirror: {said(error)}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
