"""The one table of checks: preflight, doctor and report choose from it, nothing is discovered."""

from __future__ import annotations

from ucontact_appliance.checks import call, host, ports, storage, system, tls, web
from ucontact_appliance.checks.model import Check

REACHABLE = host.REACHABLE

CHECKS: tuple[Check, ...] = (
    *host.CHECKS,
    *storage.CHECKS,
    *system.CHECKS,
    *ports.CHECKS,
    *tls.CHECKS,
    *web.CHECKS,
    *call.CHECKS,
)
