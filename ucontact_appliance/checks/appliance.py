"""The appliance itself, on the machine that installs: its packages and its parts (C01 to C03)."""

from __future__ import annotations

from ucontact_appliance.checks.model import Check, Judgement, Severity, Subject, failed, passed
from ucontact_appliance.facts.distribution import installed_versions, missing_parts

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
PARTS = (
    "installer/ansible.cfg",
    "installer/playbooks/base.yml",
    "installer/evaluation",
    "roles/telephony/tasks/main.yml",
    "inventory",
    "templates/site.yml.j2",
    "templates/report/report.html.j2",
)


def _packages(subject: Subject) -> Judgement:
    versions = installed_versions(PACKAGES)
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    missing = [name for name, version in versions.items() if not version]
    if missing:
        return failed(f"not installed: {', '.join(missing)}", ", ".join(PACKAGES), listed)
    return passed(listed, ", ".join(PACKAGES))


def _parts(subject: Subject) -> Judgement:
    missing = missing_parts(PARTS)
    if missing:
        return failed(f"missing: {', '.join(missing)}", ", ".join(PARTS))
    return passed(f"all {len(PARTS)} are there", ", ".join(PARTS))


CHECKS = (
    Check(
        id="controller.packages",
        title="The appliance has its packages",
        severity=Severity.HIGH,
        requirements=("C01", "C02"),
        remedy="python3 -m pip install --force-reinstall ucontact-appliance",
        judge=_packages,
    ),
    Check(
        id="controller.parts",
        title="The appliance is complete",
        severity=Severity.HIGH,
        requirements=("C01", "C03"),
        remedy="python3 -m pip install --force-reinstall ucontact-appliance",
        judge=_parts,
    ),
)
