"""Checks of the services' units: overrides by hand, restarts, and accounts of their processes."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.units import ServiceUnit, ServiceUnits, service_units
from ucontact_appliance.language.messages import _, concatenated, joined, with_note
from ucontact_appliance.planning.component_tables import managed_paths, unit_accounts
from ucontact_appliance.resources import load_data

_NOT_BY_HAND: tuple[str, ...] = tuple(load_data("os")["units_not_by_hand"])
# systemd reads no files of a masked unit; the check of its service reports the mask.
_NOT_READ = frozenset({"not-found", "masked"})
MANY_RESTARTS = 3
_ASIDE = "/root/ucontact-overrides"


def judge_overrides(found: ServiceUnits, ours: Collection[str]) -> Judgement:
    """Require units that read only their package's files and the installation's."""
    required = _("no unit has files other than those of its package and of the installation")
    there = [unit for unit in found.units if unit.loaded not in _NOT_READ]
    if not there:
        return skipped(_("none of the services' units exists in systemd"), required, found.evidence)
    foreign = {unit.name: paths for unit in there if (paths := _foreign(unit, ours))}
    if foreign:
        told = joined(
            "; ", (concatenated((name, ": ", ", ".join(paths))) for name, paths in foreign.items())
        )
        return failed(told, required, found.evidence, _aside(foreign))
    return passed(_("{count} units as installed", count=len(there)), required, found.evidence)


@check(
    id="system.overrides",
    title=_("No systemd unit is overridden by hand"),
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy="{install}",
)
def _overrides(subject: Subject) -> Judgement:
    ours = managed_paths(subject.plan.host(subject.host.name))
    return judge_overrides(_found(subject), ours)


def _foreign(unit: ServiceUnit, ours: Collection[str]) -> list[str]:
    return [
        path
        for path in unit.files
        if path not in ours and not any(fnmatchcase(path, known) for known in _NOT_BY_HAND)
    ]


def _aside(foreign: Mapping[str, list[str]]) -> str:
    """Return the remedy: move the files aside, and restart those of the units that run.

    Units share files (service.d), and files of several units have one name (50-MemoryMax.conf),
    which mv would refuse. Units that do not run are left to the installation: only its timer
    starts the clean-up of recordings.
    """
    paths = shlex.join(dict.fromkeys(path for some in foreign.values() for path in some))
    return (
        f"{{ssh}} mkdir -p {_ASIDE} && mv --backup=numbered {paths} {_ASIDE}/ && "
        f"systemctl daemon-reload && systemctl try-restart {shlex.join(foreign)}; {{install}}"
    )


def judge_restarts(found: ServiceUnits) -> Judgement:
    """Warn about repeated restarts by systemd: the service seems to work, but each drops calls."""
    required = _(
        "fewer than {many_restarts} restarts by systemd since the last manual start",
        many_restarts=MANY_RESTARTS,
    )
    often = [unit for unit in found.units if unit.restarts >= MANY_RESTARTS]
    if not often:
        return passed(_("{count} units", count=len(found.units)), required, found.evidence)
    told = joined(
        ", ",
        (
            _("{name}: {restarts} restarts", name=unit.name, restarts=unit.restarts)
            for unit in often
        ),
    )
    reset = shlex.join(unit.name for unit in often)
    return warned(
        told,
        required,
        found.evidence,
        with_note(
            f"{{ssh}} systemctl reset-failed {reset}",
            _("resets the counter; journalctl -u shows why the service stopped"),
        ),
    )


@check(
    id="system.restarts",
    title=_("No service restarts unexpectedly"),
    severity=Severity.MEDIUM,
    requirements=("C06",),
    remedy="{install}",
)
def _restarts(subject: Subject) -> Judgement:
    return judge_restarts(_found(subject))


def judge_accounts(found: ServiceUnits, wanted: Mapping[str, str]) -> Judgement:
    """Require the planned account for the main process of each running unit."""
    required = _("the main process of each service runs under its intended account")
    running = [unit for unit in found.units if unit.account and wanted.get(unit.name)]
    if not running:
        return skipped(_("none of the services runs"), required, found.evidence)
    wrong = [unit for unit in running if unit.account != wanted[unit.name]]
    if wrong:
        told = joined(
            "; ",
            (
                _(
                    "{name} runs as {account}, not as {wanted}",
                    name=unit.name,
                    account=unit.account,
                    wanted=wanted[unit.name],
                )
                for unit in wrong
            ),
        )
        afresh = shlex.join(unit.name for unit in wrong)
        return failed(
            told, required, found.evidence, f"{{ssh}} systemctl restart {afresh}; {{install}}"
        )
    told = joined(
        ", ", (_("{name} as {account}", name=unit.name, account=unit.account) for unit in running)
    )
    return passed(told, required, found.evidence)


@check(
    id="system.accounts",
    title=_("Services run as their own accounts"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{install}",
    # An override is nearly always the cause, and while it is in place a restart changes nothing.
    needs=("system.overrides",),
)
def _accounts(subject: Subject) -> Judgement:
    return judge_accounts(_found(subject), _wanted(subject))


def _wanted(subject: Subject) -> dict[str, str]:
    return unit_accounts(subject.plan.host(subject.host.name))


def _found(subject: Subject) -> ServiceUnits:
    return subject.facts.get(service_units, tuple(_wanted(subject)))


CHECKS = checks_of(globals())
