"""The one table of checks: preflight, doctor and report choose from it, nothing is discovered."""

from __future__ import annotations

from ucontact_appliance.checks import (
    answers,
    appliance,
    asterisk,
    backend,
    call,
    certificates,
    database,
    deep_calls,
    drift,
    firewall,
    foreign,
    headers,
    host,
    lifecycle,
    links,
    media,
    modules,
    mysql,
    mysql_tls,
    packages,
    ports,
    pressure,
    realtime,
    recordings,
    storage,
    stun,
    system,
    tls,
    tree,
    units,
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
    *foreign.CHECKS,
    *storage.CHECKS,
    *system.CHECKS,
    *units.CHECKS,
    *pressure.CHECKS,
    *links.CHECKS,
    asterisk.BANNED,
    *modules.CHECKS,  # what listens, and answers, builds on them
    *ports.CHECKS,
    *firewall.CHECKS,
    *drift.CHECKS,
    *certificates.CHECKS,
    *answers.CHECKS,
    *tls.CHECKS,
    *web.CHECKS,
    *headers.CHECKS,
    *mysql.CHECKS,
    *mysql_tls.CHECKS,
    *database.CHECKS,
    *tree.CHECKS,
    *backend.CHECKS,
    *stun.CHECKS,
    *asterisk.CHECKS,
    *recordings.CHECKS,
    *realtime.CHECKS,
    *media.CHECKS,
    *lifecycle.CHECKS,
    *call.CHECKS,
    *deep_calls.CHECKS,
)

IDS = frozenset(check.id for check in CHECKS)
