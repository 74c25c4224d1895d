"""The little of haproxy.cfg that `burstd check` must know and that the runtime socket does not tell: pure, and read only.

It knows sections, inheritance between `defaults` and comments. It does not know `.if`, environment variables and several files.
"""

from __future__ import annotations

from itertools import takewhile

SECTIONS = frozenset(
    {
        *("global", "defaults", "frontend", "backend", "listen"),
        *("cache", "crt-store", "fcgi-app", "http-errors", "log-forward", "log-profile", "mailers", "peers", "program"),
        *("resolvers", "ring", "traces", "userlist"),
    }
)


def redispatches(text: str, backend: str) -> bool | None:
    """Whether `option redispatch` is in force for the backend; None where the text does not define that backend.

    A `defaults` section starts from the one it names with `from`, or from nothing; a backend from the one that it names, or from
    the last before it.
    """
    named: dict[str, bool] = {}
    last = False  # the latest `defaults`, whether it has a name or not
    kind = name = ""
    here = False
    found = None
    for line in text.splitlines():
        words = list(takewhile(lambda word: not word.startswith("#"), line.split()))
        if words and words[0] in SECTIONS:
            kind, name = words[0], words[1] if len(words) > 1 and words[1] != "from" else ""
            parent = words[words.index("from") + 1 :][:1] if "from" in words else []
            here = named.get(parent[0], False) if parent else last and kind != "defaults"
        elif words[:2] == ["option", "redispatch"]:
            here = True
        elif words[:3] == ["no", "option", "redispatch"]:
            here = False
        if kind == "defaults":
            last = named[name] = here
        elif kind in {"backend", "listen"} and name == backend:
            found = here
    return found
