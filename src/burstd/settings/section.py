"""What all sections of the settings share, and how a section becomes a part of the policy. It knows no section by name."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PolicyPart = TypeVar("PolicyPart", bound="DataclassInstance")


class Section(BaseModel):
    """What all sections share: frozen, no unknown key, no NaN or infinity, and no value in pydantic's own messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


def mapped(part: type[PolicyPart], section: Section, **changed: Any) -> PolicyPart:
    """The policy's part from the keys of the same names; `changed` holds those with another name or form."""
    same = {each.name: getattr(section, each.name) for each in fields(part) if each.name not in changed}
    return part(**same, **changed)
