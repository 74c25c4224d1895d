"""The kinds of values that keys take: what is accepted, in which unit, and the words for it in problems and documentation."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Secret, ValidationInfo

from burstd.durations import EXPECTED as A_DURATION
from burstd.durations import parse_duration
from burstd.model.countries import CODES

SOCKET_PATH_BYTES: Final = 107
"""What Linux's `sun_path` holds beside its closing NUL (unix(7))."""

GREATEST_PORT: Final = 65_535
GREATEST_WEIGHT: Final = 256
"""HAProxy's own bound for a server's weight."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value must be.

    Attributes:
        expected: in words, to stand behind "expected".
        unit: what its number counts; empty where it has none.
        secret: its content is never shown.
    """

    expected: str
    unit: str = ""
    secret: bool = False


class Refused(ValueError):
    """A value that was refused for a reason worth telling beside what was expected."""


def key(default: object, meaning: str, *, example: object = None, shown: bool = False, **bounds: Any) -> Any:  # noqa: ANN401 - it stands for any type
    """A key: its default (`...` where it has none), its meaning in one sentence or two, and its bounds (ge, gt, le).

    `example` is what the example file and a problem's line propose; `shown` makes it a live line in the example file.
    """
    return Field(default, description=meaning, examples=[example], json_schema_extra={"shown": shown}, **bounds)


def _no_bool(value: object) -> object:
    # To Python true is the number 1; to an operator it is a slip.
    if isinstance(value, bool):
        raise ValueError("a bool is no number")  # noqa: TRY004 - pydantic collects ValueErrors alone
    return value


def _blank_is_none(value: object) -> object:
    return None if value in ("", "none") else value


def _zero_is_none(value: object) -> object:
    return None if value in (0, "0", "", "none") and not isinstance(value, bool) else value


def _matching(pattern: str) -> AfterValidator:
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str | None) -> str | None:
        if text is not None and not compiled.fullmatch(text):
            raise ValueError("not of that form")
        return text

    return AfterValidator(check)


def _exporter(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.port == 0 or not text.isprintable() or " " in text:
        raise ValueError("no such URL")
    if url.username is not None or url.password is not None or url.fragment:
        raise Refused("user, password and fragment have no place in it")
    return text


def proxy_url(text: str) -> str:
    """The URL of an HTTP proxy, its login in it where there is one.

    Raises:
        ValueError: it is none; the message does not quote it.
    """
    try:
        url = urlsplit(text)
        whole = url.scheme in ("http", "https") and url.hostname and url.port
    except ValueError:
        raise ValueError("no such URL") from None
    if not whole or url.path not in ("", "/") or url.query or url.fragment or not re.fullmatch("[!-~]+", text):
        raise ValueError("no such URL")
    if (url.username is None) != (url.password is None):
        raise ValueError("half a login")
    return text


def host_and_port(listen: str) -> tuple[str, int]:
    """The two parts of "HOST:PORT" or "[IPv6]:PORT".

    Raises:
        ValueError: it is not of that form.
    """
    url = urlsplit(f"//{listen}")
    if not url.hostname or url.port is None or url.netloc != listen or "@" in listen or re.search(r"\s", listen):
        raise ValueError("no address with a port")
    return url.hostname, url.port


def _listen(text: str) -> str:
    if text:
        host_and_port(text)
    return text


def _cron(text: str) -> str:
    if len(text.split()) != 5:  # noqa: PLR2004 - cronsim would take seconds too, in a field in front
        raise Refused("it must have five fields")
    try:
        opening = next(CronSim(text, datetime.now(UTC)), None)
    except CronSimError as error:
        raise Refused(str(error).lower()) from error
    if opening is None:
        raise Refused("no day is like that")
    return text


def _dates(value: object) -> object:
    """One date or a list of them, as texts or as TOML's own local date-times."""
    return tuple(map(_date, value if isinstance(value, list | tuple) else [value]))


def _date(value: object) -> str:
    try:
        date = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError as error:
        raise Refused("no such day or hour") from error
    if not isinstance(date, datetime) or (isinstance(value, str) and not re.search(r"[T ]\d", value)):
        raise Refused("day and hour are needed")
    if date.tzinfo is not None:
        raise Refused("zone says where, so it has no offset")
    return date.isoformat(" ", "minutes")


def _lead(value: object) -> object:
    return value if value == "auto" else parse_duration(value)


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise Refused("this machine knows no such zone") from error
    return text


def _country(text: str) -> str:
    if text not in CODES:
        raise Refused("ISO calls it GB" if text == "UK" else "no country has these letters")
    return text


def _mode(text: str) -> str:
    bits = int(text, 8) if re.fullmatch(r"0?[0-7]{3}", text) else None
    if bits is None:
        raise ValueError("no mode")
    if bits & 0o002:
        raise Refused("it would let every user of the machine scale the fleet")
    return text


def _weight(value: object) -> object:
    if value == "auto":
        return value
    weight = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else 0
    if not 1 <= weight <= GREATEST_WEIGHT:
        raise ValueError("no weight")
    return weight


def _optional_weight(value: object) -> object:
    return None if value in ("", "none", None) else _weight(value)


def _optional_duration(value: object) -> float | None:
    none = value is None or (value in (0, "0", "", "none") and not isinstance(value, bool))
    return None if none else parse_duration(value)


def _anchored(value: object, info: ValidationInfo) -> object:
    """A relative path counts from the folder of the settings file, so that the daemon's own folder never matters."""
    if value is None:
        return None
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError("no path")
    return Path(info.context["folder"], value) if info.context else Path(value)


def _fits_a_socket(path: Path) -> Path:
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise Refused(f"the system takes at most {SOCKET_PATH_BYTES} bytes, it has {len(os.fsencode(path))}")
    return path


def _address(text: str | None) -> str | None:
    return None if text is None else str(ip_address(text))


@dataclass(frozen=True, slots=True)
class Document:
    """A text file of the operator's, read once, with the settings; it may hold secrets, so only its path is ever shown."""

    path: Path
    text: str = field(repr=False)


def _document(value: object, info: ValidationInfo) -> object:
    path = _anchored(value, info)
    if not isinstance(path, Path):
        return path
    try:
        return Document(path, path.read_bytes().decode("utf-8"))  # to the byte: reading as text would change line ends
    except OSError as error:
        raise Refused(f"the system says: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused("it is not UTF-8") from error


def _from_json(value: object) -> object:
    # An environment variable carries a table or a list as JSON.
    return json.loads(value) if isinstance(value, str) else value


def _finite(value: Mapping[str, Any]) -> Mapping[str, Any]:
    if any(isinstance(each, float) and not math.isfinite(each) for each in _leaves(value)):
        raise ValueError("a number in it is not finite")
    return value


def _leaves(value: object) -> list[object]:
    if isinstance(value, Mapping):
        value = list(value.values())
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]


def _tags(tags: dict[str, str]) -> dict[str, str]:
    for name, value in tags.items():
        if not re.fullmatch(r"[A-Za-z0-9_.:/=+@-]{1,128}", name) or name.startswith("burstd-"):
            raise Refused('a name has letters, digits or _.:/=+@- alone, and "burstd-" in front is kept for the owner\'s tags')
        if not value.isprintable() or ";" in value:
            raise Refused(f"the value of {name} has a character that clouds do not carry")
    return tags


A_PROXY: Final = "http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before HOST where it asks for a login"
_PLAIN_WORD: Final = r"""[^\s"'\\#$\x00-\x1f\x7f]+"""
"""What stands in haproxy.cfg for itself."""
_HAPROXY_NAME: Final = "a name of letters, digits, dash, underscore, dot or colon, without spaces"

Seconds = Annotated[float, BeforeValidator(parse_duration), Kind(A_DURATION, "seconds")]
OptionalSeconds = Annotated[float | None, BeforeValidator(_optional_duration), Kind(f"{A_DURATION}, or 0 for none", "seconds")]
LoadUnits = Annotated[float, BeforeValidator(_no_bool), Kind("a number", "load units")]
Ratio = Annotated[float, BeforeValidator(_no_bool), Kind("a number", "ratio")]
Price = Annotated[
    float | None, BeforeValidator(_no_bool), BeforeValidator(_zero_is_none), Kind("a number, or 0 for unknown", "currency per hour")
]
Amount = Annotated[float | None, BeforeValidator(_no_bool), BeforeValidator(_blank_is_none), Kind('a number, or "" for none', "currency")]
Currency = Annotated[
    str | None, BeforeValidator(_blank_is_none), _matching(r"[A-Z]{3}"), Kind('three capital letters of ISO 4217, such as "EUR"')
]
Instances = Annotated[int, BeforeValidator(_no_bool), Kind("a whole number", "instances")]
Attempts = Annotated[int, BeforeValidator(_no_bool), Kind("a whole number", "attempts")]
Connections = Annotated[int | None, BeforeValidator(_no_bool), BeforeValidator(_zero_is_none), Kind("a whole number", "connections")]
Weight = Annotated[int | Literal["auto"], BeforeValidator(_weight), Kind(f'"auto" or a whole number from 1 to {GREATEST_WEIGHT}', "weight")]
FixedWeight = Annotated[int, BeforeValidator(_no_bool), Kind("a whole number", "weight")]
Limit = Annotated[int, BeforeValidator(_no_bool), Kind("a whole number", "connections")]
OptionalWeight = Annotated[
    int | Literal["auto"] | None,
    BeforeValidator(_optional_weight),
    Kind(f'"auto" or a whole number from 1 to {GREATEST_WEIGHT}', "weight"),
]
Port = Annotated[int, BeforeValidator(_no_bool), Kind("a port", "TCP port")]
OptionalPort = Annotated[int | None, BeforeValidator(_no_bool), BeforeValidator(_zero_is_none), Kind("a port, or 0 for none", "TCP port")]

Text = Annotated[str, _matching(r"[^\x00-\x1f\x7f]+"), Kind("a text on one line, not empty")]
Names = Annotated[tuple[Text, ...], Kind("a list of texts, each on one line and not empty")]
OptionalText = Annotated[str | None, BeforeValidator(_blank_is_none), _matching(r"[^\x00-\x1f\x7f]+"), Kind("a text on one line")]
FleetName = Annotated[
    str, _matching(r"[a-z][a-z0-9-]{0,15}"), Kind("a lower-case letter, then at most 15 lower-case letters, digits or dashes")
]
HaproxyName = Annotated[str, _matching(r"[A-Za-z0-9_.:-]{1,64}"), Kind(_HAPROXY_NAME)]
OptionalHaproxyName = Annotated[str | None, BeforeValidator(_blank_is_none), _matching(r"[A-Za-z0-9_.:-]{1,64}"), Kind(_HAPROXY_NAME)]
Word = Annotated[str, _matching(_PLAIN_WORD), Kind("one word without spaces, quotes, backslashes, # and $")]
OptionalWord = Annotated[
    str | None, BeforeValidator(_blank_is_none), _matching(_PLAIN_WORD), Kind("one word without spaces, quotes, backslashes, # and $")
]
OptionalWords = Annotated[
    str | None,
    BeforeValidator(_blank_is_none),
    _matching(f"{_PLAIN_WORD}( {_PLAIN_WORD})*"),
    Kind("words with a space between, without quotes, backslashes, # and $"),
]
OptionalAddress = Annotated[str | None, BeforeValidator(_blank_is_none), AfterValidator(_address), Kind("an IP address")]
PoolName = Annotated[str, _matching(r"[A-Za-z0-9_.-]{1,63}"), Kind("a name of letters, digits, dash, underscore or dot, without spaces")]
Country = Annotated[str, AfterValidator(_country)]
Countries = Annotated[tuple[Country, ...], Kind('a list of countries in two capital letters of ISO 3166-1, such as ["NO", "IE"]')]
OptionalCountry = Annotated[Country | None, BeforeValidator(_blank_is_none), Kind('two capital letters of ISO 3166-1, such as "IE"')]
GroupName = Annotated[str | None, BeforeValidator(_blank_is_none), _matching(r"[A-Za-z0-9_.-]+\$?"), Kind("the name of a group")]
UserName = Annotated[str, _matching(r"[a-z_][a-z0-9_-]{0,31}"), Kind("the name of a user")]
OptionalLogin = Annotated[
    str | None, BeforeValidator(_blank_is_none), _matching(r"[a-z_][a-z0-9_-]{0,31}@[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}"), Kind("USER@HOST")
]
OptionalPublicKey = Annotated[
    str | None,
    BeforeValidator(_blank_is_none),
    _matching(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]{32,}=*( [^\"\\\x00-\x1f\x7f]+)?"),
    Kind("a public ssh key on one line, as ssh-keygen writes it into a .pub file"),
]
Sources = Annotated[
    tuple[Annotated[str, AfterValidator(lambda text: str(ip_network(text)) if "/" in text else str(ip_address(text)))], ...],
    Kind('a list of IP addresses, or networks such as "10.0.0.0/24"'),
]
OptionalHost = Annotated[
    str | None, BeforeValidator(_blank_is_none), _matching(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})"), Kind("a host name or an IPv4 address")
]
Proxy = Annotated[Secret[Annotated[str, AfterValidator(proxy_url)]] | None, BeforeValidator(_blank_is_none), Kind(A_PROXY, secret=True)]
Exporter = Annotated[str, AfterValidator(_exporter), Kind("an http or https URL with a host")]
Listen = Annotated[str, AfterValidator(_listen), Kind('HOST:PORT, or "" for none')]
Cron = Annotated[str, AfterValidator(_cron), Kind('five cron fields such as "0 8 * * mon-fri"')]
OptionalCron = Annotated[
    str | None,
    BeforeValidator(_blank_is_none),
    AfterValidator(lambda text: text and _cron(text)),
    Kind('five cron fields such as "0 8 * * mon-fri"'),
]
Dates = Annotated[tuple[str, ...], BeforeValidator(_dates), Kind('a local date and hour such as "2026-12-24 08:00", or a list of them')]
Lead = Annotated[float | Literal["auto"], BeforeValidator(_lead), Kind(f'"auto", or {A_DURATION}', "seconds")]
Zone = Annotated[str, AfterValidator(_zone), Kind("the IANA name of a time zone")]
Mode = Annotated[str, AfterValidator(_mode), Kind('an octal mode as a text, such as "0660"')]
CheckPath = Annotated[str, _matching(r"/[A-Za-z0-9/._~%?=&+@:,!-]*"), Kind("a path that starts with /, of the characters of a URL")]
"""Also written into haproxy.cfg and into web servers' files, where quotes, braces and semicolons would say something else."""

Absolute = Annotated[str, _matching(r"(/[A-Za-z0-9_.-]+)+"), Kind("an absolute path of letters, digits, dash, underscore, dot and slash")]
Anchored = Annotated[Path, BeforeValidator(_anchored), Kind("a path")]
OptionalAnchored = Annotated[Path | None, BeforeValidator(_anchored), BeforeValidator(_blank_is_none), Kind("a path")]
SocketPath = Annotated[Anchored, AfterValidator(_fits_a_socket), Kind("the path of a unix socket")]
SecretFile = Annotated[Secret[Anchored] | None, BeforeValidator(_blank_is_none), Kind("a path", secret=True)]
OptionalDocument = Annotated[
    Document | None,
    BeforeValidator(_document),
    BeforeValidator(_blank_is_none),
    PlainSerializer(lambda document: str(document.path) if document else None),
    Kind("the path of a readable text file"),
]

Tags = Annotated[dict[str, str], AfterValidator(_tags), BeforeValidator(_from_json), Kind("a table of texts")]
SecretTable = Annotated[dict[str, Secret[Any]], BeforeValidator(_finite), BeforeValidator(_from_json), Kind("a table", secret=True)]
SecretFiles = Annotated[
    dict[str, Secret[Anchored]], BeforeValidator(_from_json), Kind("a table of paths, one for each argument", secret=True)
]
