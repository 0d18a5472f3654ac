"""Checks of a host's software: pending reboot, Python, archives, dpkg."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Stage,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts import dpkg, services
from ucontact_appliance.facts import host as facts
from ucontact_appliance.facts.distribution import installed_versions
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.systems import drivable, drives, system_row
from ucontact_appliance.planning.tables import SystemRow, old_targets

_BOTH = frozenset({Stage.PREFLIGHT, Stage.DOCTOR})
_PREFLIGHT = frozenset({Stage.PREFLIGHT})


@check(
    id="host.restart",
    title=_("No update requires a reboot"),
    severity=Severity.LOW,
    requirements=("R18",),
    remedy=with_note("{ssh} systemctl reboot", _("outside working hours: it ends all calls")),
)
def _reboot(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.system).reboot_required
    required = _("no update requires a reboot")
    if found:
        return warned(_("an update requires a reboot"), required, found)
    return passed(_("no reboot is required"), required)


@dataclass(frozen=True)
class Controller:
    """The installing machine: versions of its ansible-core and Python, and the Python's path."""

    ansible: str
    python: tuple[int, ...]
    program: str


def judge_python(row: SystemRow, found: facts.PythonFound, controller: Controller) -> Judgement:
    """Require a Python on the host that this machine's ansible-core supports."""
    targets = drivable(controller.ansible)
    lowest = joined(
        _(" or "),
        [*targets[:-1], *(_("{newest} or later", newest=newest) for newest in targets[-1:])],
    )
    required = _(
        "{python}: Python {lowest} for ansible-core {ansible}",
        python=row.python,
        lowest=lowest,
        ansible=controller.ansible,
    )
    install = f"{{ssh}} apt-get install -y {' '.join(row.python_packages)}"
    if not found.version:
        return failed(_("{python} is missing", python=row.python), required, remedy=install)
    observed = _("Python {map}", map=".".join(map(str, found.version)))
    if not drives(controller.ansible, found.version):
        return failed(
            _(
                "{observed}, not supported by ansible-core {ansible} of this machine",
                observed=observed,
                ansible=controller.ansible,
            ),
            required,
            remedy=_another_ansible(controller),
        )
    return passed(observed, required)


@check(
    id="host.python",
    title=_("The server's Python version works with Ansible"),
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy="{ssh} apt-get install -y python3",
    stages=_PREFLIGHT,
    needs=("host.system",),
)
def _python(subject: Subject) -> Judgement:
    system = subject.facts.get(facts.system)
    row = system_row(system.os_id, system.os_version)
    if row is None:
        return skipped(_("unknown, because the system is not supported"))
    found = subject.facts.get(facts.python, row.python)
    core = subject.facts.here(installed_versions, ("ansible-core",))["ansible-core"]
    return judge_python(row, found, Controller(core, sys.version_info[:2], sys.executable))


def _another_ansible(controller: Controller) -> str:
    old = old_targets()
    core, (*some, last) = old.core, old.controller
    if ".".join(map(str, controller.python)) in old.controller:
        return f"{controller.program} -m pip install 'ansible-core=={core}.*'"
    return with_note(
        f"python{last} -m venv /opt/ucontact && /opt/ucontact/bin/pip install ucontact-appliance",
        _(
            "on a machine with Python {some} or {last}, which gets ansible-core "
            "{core}; copy the folders /etc/ucontact and /var/lib/ucontact there",
            some=joined(", ", some),
            last=last,
            core=core,
        ),
    )


def judge_archives(found: tuple[services.Archive, ...]) -> Judgement:
    """Require that apt's package archives answer."""
    required = _("every package archive configured in apt responds")
    evidence = "\n".join(
        f"{'reached' if a.reached else 'NOT reached'} {a.release_file} {a.said}".rstrip()
        for a in found
    )
    if not found:
        return failed(_("apt has no package archive configured"), required)
    missing = [archive for archive in found if not archive.reached]
    if not missing:
        return passed(_("{count} responded", count=len(found)), required, evidence)
    observed = _(
        "{count} of {count2} did not respond: {release_file}",
        count=len(missing),
        count2=len(found),
        release_file=missing[0].release_file,
    )
    # Security updates may be missing for a while; without any archive nothing can be installed.
    return (failed if len(missing) == len(found) else warned)(observed, required, evidence)


@check(
    id="host.archive",
    title=_("Package archives are reachable"),
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy="{ssh} apt-get update",
    stages=_PREFLIGHT,
    timeout=45,
)
def _archives(subject: Subject) -> Judgement:
    return judge_archives(subject.facts.get(services.archives))


def judge_packages(found: dpkg.PackageManager) -> Judgement:
    """Fail on half-installed packages; skip while a package manager runs."""
    required = _("no half-installed package")
    if found.holders:
        named = found.holders[0]
        return skipped(
            _("{named} is changing packages", named=named),
            required,
            "\n".join(f"{holder.file}: {holder}" for holder in found.holders),
        )
    evidence = "\n".join(filter(None, [found.audit, *_journal(found)]))
    if found.audit:
        names = _named(found.audit)
        # The server supplies the names, and a remedy is run by a shell.
        sound = all(_PACKAGE.fullmatch(name) for name in names)
        torn = names and sound and _NOT_UNPACKED.search(found.audit)
        remedy = f"{_REINSTALL} {' '.join(names)}" if torn else ""
        return failed(
            _("half installed: {names}", names=joined(", ", names)), required, evidence, remedy
        )
    if found.journal:
        return failed(_("dpkg was interrupted"), required, evidence)
    return passed(_("no half-installed package"), required)


@check(
    id="host.packages",
    title=_("No package operation is unfinished"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{ssh} dpkg --configure -a",
    stages=_BOTH,
)
def _packages(subject: Subject) -> Judgement:
    return judge_packages(subject.facts.get(dpkg.package_manager))


# Packages that dpkg can't configure because files of theirs are missing (dpkg(1), --audit).
_NOT_UNPACKED = re.compile("must be reinstalled|half installed")
_REINSTALL = "{ssh} dpkg --configure -a; apt-get -y install --reinstall"
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?")


def _named(audit: str) -> list[str]:
    """Return the packages that `dpkg --audit` lists: indented lines, the name first."""
    return [line.split()[0] for line in audit.splitlines() if line[:1] == " " and line.split()]


def _journal(found: dpkg.PackageManager) -> tuple[str, ...]:
    names = " ".join(found.journal)
    return (_("/var/lib/dpkg/updates: {names}", names=names),) if names else ()


CHECKS = checks_of(globals())
