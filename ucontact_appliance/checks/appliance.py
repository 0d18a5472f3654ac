"""Checks of the appliance on the installing machine: packages, parts, commands (C01-C03, C07)."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.facts.distribution import installed_versions, known_commands, missing_parts
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.model import Role

# C02 names netifaces; netifaces-plus is its maintained drop-in.
PACKAGES = (
    "typer",
    "ansible-core",
    "jinja2",
    "pyyaml",
    "psutil",
    "netifaces-plus",
    "mysql-connector-python",
    "rich",
)
COMMANDS = ("install", "doctor", "report")  # C07: for installers, operators, auditors
PARTS = (
    "installer/ansible.cfg",
    "installer/playbooks/base.yml",
    "installer/evaluation",
    "roles/telephony/tasks/main.yml",
    "inventory",
    "templates/site.yml.j2",
    "templates/report/report.html.j2",
)


@check(
    id="controller.packages",
    title=_("The appliance's Python packages are installed"),
    severity=Severity.HIGH,
    requirements=("C01", "C02"),
    remedy="python3 -m pip install --force-reinstall ucontact-appliance",
)
def _packages(subject: Subject) -> Judgement:
    versions = subject.facts.here(installed_versions, PACKAGES)
    listed = joined(", ", (f"{name} {version}" for name, version in versions.items() if version))
    missing = [name for name, version in versions.items() if not version]
    if missing:
        return failed(
            _("not installed: {missing}", missing=joined(", ", missing)),
            joined(", ", PACKAGES),
            listed,
        )
    return passed(listed, joined(", ", PACKAGES))


@check(
    id="controller.parts",
    title=_("The appliance is complete"),
    severity=Severity.HIGH,
    requirements=("C01", "C03"),
    remedy="python3 -m pip install --force-reinstall ucontact-appliance",
)
def _parts(subject: Subject) -> Judgement:
    missing = subject.facts.here(missing_parts, PARTS)
    if missing:
        return failed(_("missing: {missing}", missing=joined(", ", missing)), joined(", ", PARTS))
    return passed(_("all {count} present", count=len(PARTS)), joined(", ", PARTS))


def judge_commands(known: Sequence[str]) -> Judgement:
    """Require a command each for installers, operators and auditors (C07)."""
    required = _("the commands {commands} are available", commands=joined(", ", COMMANDS))
    evidence = f"commands: {', '.join(known) or 'none, it does not start'}"
    missing = [name for name in COMMANDS if name not in known]
    if missing:
        return failed(
            _("not available: {missing}", missing=joined(", ", missing)), required, evidence
        )
    return passed(
        _("{commands} are available", commands=joined(", ", COMMANDS)), required, evidence
    )


@check(
    id="controller.commands",
    title=_("The appliance's three commands work"),
    severity=Severity.HIGH,
    requirements=("C07",),
    remedy="python3 -m pip install --force-reinstall ucontact-appliance",
    role=Role.TELEPHONY,  # exactly one host has this role: once per site
    timeout=25.0,
)
def _commands(subject: Subject) -> Judgement:
    return judge_commands(subject.facts.here(known_commands, COMMANDS))


CHECKS = checks_of(globals())
