"""Checks of Asterisk's modules: none is disabled, failed to load, or was unloaded by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.facts.asterisk import AsteriskState, snapshot
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_GROUPS: dict[str, Any] = load_data("asterisk_modules")
_TITLES = {
    "sip": _("Asterisk's SIP modules are loaded"),
    "media": _("Asterisk's media modules are loaded"),
    "calls": _("Asterisk's dialplan modules are loaded"),
    "recording": _("Asterisk's recording modules are loaded"),
}


def judge_modules(found: AsteriskState, wanted: Sequence[str]) -> Judgement:
    """Require the modules in the running Asterisk: modules.conf shows no crash and no `unload`."""
    required = _("running: {wanted}", wanted=joined(", ", wanted))
    lost = [name for name in wanted if f"{name}.so" not in found.modules]
    evidence = f"{len(found.modules)} modules run"
    if not lost:
        return passed(_("all {count} run", count=len(wanted)), required, evidence)
    loading = "; ".join(f"asterisk -rx 'module load {name}.so'" for name in lost)
    # First by hand, which ends no call; the installation then corrects the files.
    return failed(
        _("not running: {lost}", lost=joined(", ", lost)),
        required,
        evidence,
        f"{{ssh}} {loading}; {{install}}",
    )


def _modules(group: str) -> Check:
    row = _GROUPS[group]

    @check(
        id=f"asterisk.modules.{group}",
        title=_TITLES[group],
        severity=Severity.CRITICAL,
        requirements=tuple(row["requirements"]),
        remedy="{install}",
        role=Role.TELEPHONY,
        needs=("asterisk.service",),
        timeout=15.0,
    )
    def judge(subject: Subject) -> Judgement:
        return judge_modules(subject.facts.get(snapshot), row["modules"])

    return judge


MODULES = tuple(_modules(group) for group in _GROUPS)

CHECKS = checks_of(globals())
