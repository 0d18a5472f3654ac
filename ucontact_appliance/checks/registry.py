"""The one table of checks: preflight, doctor and report choose from it, nothing is discovered."""

from __future__ import annotations

from ucontact_appliance.checks import (
    answers,
    appliance,
    asterisk,
    backend,
    call,
    certificates,
    deep_calls,
    firewall,
    headers,
    host,
    media,
    mysql,
    packages,
    ports,
    storage,
    stun,
    system,
    tls,
    tree,
    waivers,
    web,
)
from ucontact_appliance.checks.model import Check

REACHABLE = host.REACHABLE

CHECKS: tuple[Check, ...] = (
    *appliance.CHECKS,
    *waivers.CHECKS,
    *host.CHECKS,
    *packages.CHECKS,
    *storage.CHECKS,
    *system.CHECKS,
    *ports.CHECKS,
    *firewall.CHECKS,
    *certificates.CHECKS,
    *answers.CHECKS,
    *tls.CHECKS,
    *web.CHECKS,
    *headers.CHECKS,
    *mysql.CHECKS,
    *tree.CHECKS,
    *backend.CHECKS,
    *stun.CHECKS,
    *asterisk.CHECKS,
    *media.CHECKS,
    *call.CHECKS,
    *deep_calls.CHECKS,
)

IDS = frozenset(check.id for check in CHECKS)
