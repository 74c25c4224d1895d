"""How an instance is named in the cloud and in HAProxy, and how a name is known to be ours. The one place of that rule.

A name says whose it is (the first four of the owner id) and which operation made it (the first ten of the operation id), and
fits every cloud and HAProxy: lower-case letters, digits and dashes, well under 63 characters.
"""

from __future__ import annotations

import re

_OWNER_DIGITS = 4
_OPERATION_DIGITS = 10
_STANDBY = "-standby"
"""HAProxy cannot take the `backup` flag from a server, and knows every name once: so the line that carries it has a name of its own."""


def instance_name(prefix: str, owner: str, operation: str) -> str:
    """The name of the instance that this operation makes; owner and operation are lower-case hexadecimal ids."""
    return f"{prefix}-{owner[:_OWNER_DIGITS]}-{operation[:_OPERATION_DIGITS]}"


def is_instance_name(prefix: str, owner: str, name: str) -> bool:
    """The whole name follows the rule for this prefix and owner; a static server's never does."""
    pattern = rf"{re.escape(prefix)}-{re.escape(owner[:_OWNER_DIGITS])}-[0-9a-f]{{{_OPERATION_DIGITS}}}"
    return re.fullmatch(pattern, name) is not None


def standby_name(instance: str) -> str:
    """The name of an instance's line as `backup` in HAProxy."""
    return instance + _STANDBY


def instance_of(server: str) -> str:
    """The instance that a line of ours in HAProxy stands for."""
    return server.removesuffix(_STANDBY)


def is_server_name(prefix: str, owner: str, name: str) -> bool:
    """A line in HAProxy of that name is one of this fleet's, in service or as the standby."""
    return is_instance_name(prefix, owner, instance_of(name))
