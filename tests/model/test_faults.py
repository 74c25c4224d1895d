"""Faults as values."""

from __future__ import annotations

import pytest

from burstd import errors
from burstd.model.faults import Fault, FaultKind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.Unreachable("x"), FaultKind.UNREACHABLE),
        (errors.Garbled("x"), FaultKind.GARBLED),
        (errors.Throttled("x", 5.0), FaultKind.THROTTLED),
        (errors.NotFound("x"), FaultKind.MISSING),
        (errors.NoCapacity("x"), FaultKind.NO_CAPACITY),
        (errors.Rejected("x"), FaultKind.REJECTED),
        (errors.BadCredentials("x"), FaultKind.DENIED),
        (errors.Misconfigured("x"), FaultKind.MISCONFIGURED),
        (errors.InvalidSettings(["x"]), FaultKind.MISCONFIGURED),
        (errors.Retry("x"), FaultKind.UNREACHABLE),
        (errors.OutcomeUnknown("x"), FaultKind.UNKNOWN),
    ],
)
def test_an_adapters_error_becomes_a_fault_of_its_kind(error: errors.BurstdError, kind: FaultKind) -> None:
    fault = Fault.of("haproxy", error)
    assert (fault.kind, str(fault)) == (kind, "haproxy: x")
