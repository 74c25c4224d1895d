"""How an instance is named in the cloud and in HAProxy, and how a name is known to be ours. The one place of that rule.

A name says whose it is (the first four of the owner id) and which operation made it (the first ten of the operation id), and
fits every cloud and HAProxy: lower-case letters, digits and dashes, well under 63 characters.

In a cloud without tags the name is all there is, so it carries the whole operation id and a proof that only the owner can make: an HMAC
keyed by the owner id, which is never told to such a cloud. There the name is called marked; the rest of burstd never sees it.
"""

from __future__ import annotations

import re
from base64 import b32encode
from functools import cache
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest

_OWNER_DIGITS = 4
_OPERATION_DIGITS = 10
_STANDBY = "-standby"
"""HAProxy cannot take the `backup` flag from a server, and knows every name once: so the line that carries it has a name of its own."""
_PROOF = 13
"""Characters of the HMAC, 65 bits in base 32: with the longest prefix (16) the marked name has the 63 that every cloud takes. To guess one
takes a machine for each try, and wins nothing but the loss of that machine."""
_MARKED = re.compile(rf"([a-z][a-z0-9-]{{0,15}})-([0-9a-f]{{32}})-([a-z2-7]{{{_PROOF}}})")


def instance_name(prefix: str, owner: str, operation: str) -> str:
    """The name of the instance that this operation makes; owner and operation are lower-case hexadecimal ids."""
    return f"{prefix}-{owner[:_OWNER_DIGITS]}-{operation[:_OPERATION_DIGITS]}"


def is_instance_name(prefix: str, owner: str, name: str) -> bool:
    """The whole name follows the rule for this prefix and owner; a static server's never does."""
    return _rule(prefix, owner[:_OWNER_DIGITS]).fullmatch(name) is not None


@cache
def _rule(prefix: str, owner: str) -> re.Pattern[str]:
    """The pattern, made once for a fleet: every line in HAProxy is held against it in every cycle."""
    return re.compile(rf"{re.escape(prefix)}-{re.escape(owner)}-[0-9a-f]{{{_OPERATION_DIGITS}}}")


def standby_name(instance: str) -> str:
    """The name of an instance's line as `backup` in HAProxy."""
    return instance + _STANDBY


def instance_of(server: str) -> str:
    """The instance that a line of ours in HAProxy stands for."""
    return server.removesuffix(_STANDBY)


def is_server_name(prefix: str, owner: str, name: str) -> bool:
    """A line in HAProxy of that name is one of this fleet's, in service or as the standby."""
    return is_instance_name(prefix, owner, instance_of(name))


def marked_name(name: str, owner: str, operation: str) -> str:
    """The name in a cloud without tags of the instance that is called `name` everywhere else."""
    prefix = name.removesuffix(instance_name("", owner, operation))
    return f"{prefix}-{operation}-{_proof(prefix, owner, operation)}"


def read_marked_name(owner: str, name: str) -> tuple[str, str] | None:
    """The instance's name everywhere else, and its operation; None for every name that this owner did not mark, to the letter."""
    found = _MARKED.fullmatch(name)
    if found is None:
        return None
    prefix, operation, proof = found.groups()
    return (instance_name(prefix, owner, operation), operation) if compare_digest(proof, _proof(prefix, owner, operation)) else None


def _proof(prefix: str, owner: str, operation: str) -> str:
    code = hmac_digest(owner.encode(), f"{prefix}-{operation}".encode(), sha256)
    return b32encode(code).decode().lower()[:_PROOF]
