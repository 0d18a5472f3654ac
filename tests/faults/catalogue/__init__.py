"""The faults. Each is injected into a small site as it was installed, all roles on one machine."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.catalogue import (
    backend,
    certificates,
    database,
    firewall,
    headers,
    host,
    network,
    ports,
    release,
    services,
    storage,
    stun,
    telephony,
    tls,
    web,
)
from tests.faults.model import Fault
from ucontact_appliance.planning.components import components

_SUBJECTS = (
    services,
    ports,
    firewall,
    certificates,
    tls,
    web,
    headers,
    release,
    backend,
    database,
    stun,
    telephony,
    storage,
    host,
    network,
)
_DRIFT = "a file that the installation writes was changed to break it"
_MANAGED = tuple(path for one in components() for path in one.managed)


def _with_drift(fault: Fault) -> Fault:
    """The files' own check names every file that a fault edits, beside what comes of it."""
    if "files.drift" in fault.causes or not any(path in fault.inject for path in _MANAGED):
        return fault
    return replace(fault, also={**fault.also, "files.drift": _DRIFT})


FAULTS: tuple[Fault, ...] = tuple(
    _with_drift(fault) for subject in _SUBJECTS for fault in subject.FAULTS
)
# Findings that are true of every rehearsal machine.
USUAL = frozenset({"asterisk.build"})
