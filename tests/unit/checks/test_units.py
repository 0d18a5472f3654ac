"""Whether services run by settings and as accounts that somebody gave them by hand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.subjects import big_site, subjects
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.units import (
    CHECKS,
    judge_accounts,
    judge_overrides,
    judge_restarts,
)
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.units import ServiceUnit, ServiceUnits
from ucontact_appliance.planning.component import EVERY
from ucontact_appliance.planning.components import components, components_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import ROLES

_CHECKS = {check.id: check for check in CHECKS}
_ACCOUNTS = {unit: account for one in components() for unit, account in one.units.items()}
_OURS = tuple(path for one in components() for path in one.managed)
_ETC = "/etc/systemd/system"

_ASTERISK = ServiceUnit(
    "asterisk.service",
    "loaded",
    "/lib/systemd/system/asterisk.service",
    (f"{_ETC}/asterisk.service.d/ucontact.conf",),
    "asterisk",
)
_MYSQL = ServiceUnit("mysql.service", "loaded", f"{_ETC}/mysql.service", (), "mysql")
_NGINX = ServiceUnit(
    "nginx.service",
    "loaded",
    "/usr/lib/systemd/system/nginx.service",
    (f"{_ETC}/nginx.service.d/ucontact.conf",),
    "root",
)
_FIREWALL = ServiceUnit(
    "ucontact-firewall.service", "loaded", f"{_ETC}/ucontact-firewall.service", (), ""
)


def _units(*units: ServiceUnit) -> ServiceUnits:
    return ServiceUnits(units, "as systemd shows it")


def _with(unit: ServiceUnit, *paths: str) -> ServiceUnit:
    return replace(unit, drop_ins=(*unit.drop_ins, *paths))


def test_units_of_packages_and_of_the_installation_pass() -> None:
    judged = judge_overrides(_units(_FIREWALL, _MYSQL, _ASTERISK, _NGINX), _OURS)
    assert (judged.verdict, judged.observed) == (Verdict.PASS, "4 units as installed")


@pytest.mark.parametrize(
    "path",
    [
        "/lib/systemd/system/asterisk.service.d/10-of-a-package.conf",
        "/usr/lib/systemd/system/service.d/10-timeout-abort.conf",
        "/run/systemd/generator/asterisk.service.d/50-of-fstab.conf",
        "/run/systemd/system/service.d/zzz-lxc-service.conf",
        "/run/systemd/system/asterisk.service.d/zzz-lxc-service.conf",
    ],
)
def test_what_no_hand_wrote_is_no_override(path: str) -> None:
    assert judge_overrides(_units(_with(_ASTERISK, path)), _OURS).verdict is Verdict.PASS


def test_a_unit_made_of_an_init_script_is_the_distributions() -> None:
    made = replace(_ASTERISK, fragment="/run/systemd/generator.late/asterisk.service")
    assert judge_overrides(_units(made), _OURS).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "path",
    [
        f"{_ETC}/asterisk.service.d/zz.conf",
        "/etc/systemd/system.control/asterisk.service.d/50-MemoryMax.conf",
        "/run/systemd/system.control/asterisk.service.d/50-CPUQuota.conf",
        "/run/systemd/system/asterisk.service.d/ucontact.conf",
        "/usr/local/lib/systemd/system/asterisk.service.d/a.conf",
        f"{_ETC}/service.d/all.conf",
    ],
)
def test_a_drop_in_of_somebodys_is_named(path: str) -> None:
    judged = judge_overrides(_units(_with(_ASTERISK, path), _MYSQL), _OURS)
    assert judged.verdict is Verdict.FAIL
    assert judged.observed == f"asterisk.service: {path}"
    assert judged.evidence == "as systemd shows it"
    assert judged.remedy == (
        f"{{ssh}} mkdir -p /root/ucontact-overrides && mv --backup=numbered {path} "
        "/root/ucontact-overrides/ && systemctl daemon-reload && "
        "systemctl try-restart asterisk.service; {install}"
    )


def test_a_whole_unit_of_somebodys_is_named() -> None:
    edited = replace(_ASTERISK, fragment=f"{_ETC}/asterisk.service")
    judged = judge_overrides(_units(edited), _OURS)
    assert judged.observed == f"asterisk.service: {_ETC}/asterisk.service"


def test_what_is_another_roles_is_somebodys_here() -> None:
    (mysql,) = components_of(Role.DATABASE)
    without = [path for path in _OURS if path not in mysql.managed]
    assert judge_overrides(_units(_MYSQL), without).verdict is Verdict.FAIL


def test_several_are_told_unit_by_unit_and_moved_once() -> None:
    shared, odd = f"{_ETC}/service.d/all.conf", f"{_ETC}/nginx.service.d/it's $1.conf"
    found = _units(_with(_ASTERISK, shared), _FIREWALL, _with(_NGINX, shared, odd))
    judged = judge_overrides(found, _OURS)
    assert judged.observed == (f"asterisk.service: {shared}; nginx.service: {shared}, {odd}")
    assert f"mv --backup=numbered {shared} {shlex.quote(odd)} /root/" in judged.remedy
    assert "try-restart asterisk.service nginx.service; " in judged.remedy


@pytest.mark.parametrize(
    "unit",
    [
        replace(_ASTERISK, loaded="masked", fragment=f"{_ETC}/asterisk.service"),
        replace(_ASTERISK, loaded="masked", fragment="/dev/null"),
        replace(_ASTERISK, loaded="not-found", fragment=""),
    ],
)
def test_a_unit_that_is_masked_or_missing_is_anothers_affair(unit: ServiceUnit) -> None:
    found = judge_overrides(_units(unit, _MYSQL), _OURS)
    assert (found.verdict, found.observed) == (Verdict.PASS, "1 units as installed")
    assert judge_overrides(_units(unit), _OURS).verdict is Verdict.SKIP


def test_services_as_their_own_accounts_pass() -> None:
    judged = judge_accounts(_units(_FIREWALL, _MYSQL, _ASTERISK, _NGINX), _ACCOUNTS)
    assert judged.verdict is Verdict.PASS
    assert judged.observed == (
        "mysql.service as mysql, asterisk.service as asterisk, nginx.service as root"
    )


def test_a_service_as_somebody_else_is_named_and_started_afresh() -> None:
    found = _units(replace(_ASTERISK, account="root"), _NGINX, replace(_MYSQL, account="UNKNOWN"))
    judged = judge_accounts(found, _ACCOUNTS)
    assert judged.verdict is Verdict.FAIL
    assert judged.observed == (
        "asterisk.service runs as root, not as asterisk; "
        "mysql.service runs as UNKNOWN, not as mysql"
    )
    assert judged.remedy == "{ssh} systemctl restart asterisk.service mysql.service; {install}"


def test_what_does_not_run_is_passed_over() -> None:
    stopped = replace(_ASTERISK, account="")
    assert judge_accounts(_units(stopped, _MYSQL), _ACCOUNTS).observed == "mysql.service as mysql"
    assert judge_accounts(_units(stopped, _FIREWALL), _ACCOUNTS).verdict is Verdict.SKIP


def _systemd(argv: Sequence[str]) -> Completed:
    """A host whose units are all as installed, and run as `zz` where they have a process."""
    blocks = [f"MainPID=7\nId={name}\nLoadState=loaded\n" for name in argv[4:]]
    text = "---- units\n" + "\n".join(blocks) + "---- accounts\n7 zz\n"
    return Completed(tuple(argv), 0, text, "", 0.0)


def test_a_host_is_asked_for_the_units_of_its_roles() -> None:
    for subject in subjects(big_site(), _systemd):
        judged = _CHECKS["system.accounts"].judge(subject)
        groups = map(components_of, (EVERY, *subject.plan.host(subject.host.name).roles))
        units = [unit for group in groups for unit in sorted(u for one in group for u in one.units)]
        wanted = {unit: _ACCOUNTS[unit] for unit in units if _ACCOUNTS[unit]}
        assert judged.observed == "; ".join(
            f"{unit} runs as zz, not as {name}" for unit, name in wanted.items()
        )
        assert _CHECKS["system.overrides"].judge(subject).verdict is Verdict.PASS


def _laid_down() -> dict[str, Path]:
    """What the roles lay down for systemd, by its path on the server."""
    return {
        f"/{str(path.relative_to(folder)).removesuffix('.j2')}": path
        for folder in ROLES.glob("*/templates")
        for path in (folder / "etc/systemd").rglob("*")
        if path.is_file()
    }


def _unit_of(path: str) -> str:
    return path.removeprefix(f"{_ETC}/").partition("/")[0].removesuffix(".d")


def test_what_a_role_lays_down_for_systemd_is_ours_and_of_a_unit_that_is_watched() -> None:
    laid_down = _laid_down()
    assert laid_down
    assert set(laid_down) <= set(_OURS)
    assert {_unit_of(path) for path in laid_down} <= set(_ACCOUNTS)


def test_the_accounts_are_those_that_the_roles_units_name() -> None:
    account = (ROLES / "integraserver/defaults/main.yml").read_text(encoding="utf-8")
    filled = dict(re.findall(r"^(integraserver_account): (\w+)$", account, re.MULTILINE))
    named: dict[str, str] = {}
    for path, template in _laid_down().items():
        text = template.read_text(encoding="utf-8")
        for user in re.findall(r"^User=(.+)$", text, re.MULTILINE):
            named[_unit_of(path)] = filled.get(user.strip("{ }"), user)
    assert named["integraserver.service"] == "integra"
    assert named == {unit: _ACCOUNTS[unit] for unit in named}


def test_a_service_that_ends_by_itself_again_and_again_is_named() -> None:
    twice = replace(_MYSQL, restarts=2)
    assert judge_restarts(_units(_ASTERISK, twice)).verdict is Verdict.PASS
    judged = judge_restarts(_units(replace(_ASTERISK, restarts=4), twice))
    assert (judged.verdict, judged.observed) == (Verdict.WARN, "asterisk.service: 4 restarts")
    assert judged.remedy.startswith("{ssh} systemctl reset-failed asterisk.service  # ")
