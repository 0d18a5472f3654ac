"""What somebody else put on a server is named, and nothing of ours is taken for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
import yaml

from tests.unit.checks.subjects import subjects
from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks import apt
from ucontact_appliance.checks.foreign import CHECKS, judge_base, judge_component
from ucontact_appliance.checks.model import Stage, Verdict
from ucontact_appliance.facts.foreign import Claim, ForeignInstallation, parse_foreign
from ucontact_appliance.facts.packages import parse_removals
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.planning.component_tables import ForeignRow, foreign
from ucontact_appliance.planning.components import components
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import packages_at_once, system_row
from ucontact_appliance.resources import INSTALLER, ROLES

SAME, OTHER = "a" * 32, "b" * 32
NGINX, MYSQL, ASTERISK, COTURN = foreign()


def answer(claim: str = "none", **sections: str) -> str:
    return "".join(f"---- {name}\n{text}\n" for name, text in {"claim": claim, **sections}.items())


CLEAN = answer(
    sums=f"{SAME}  /etc/nginx/nginx.conf\n"
    f"{SAME}  /etc/nginx/sites-enabled/default\n"
    f"{SAME}  /etc/nginx/sites-available/default\n"
    f"{OTHER}  /etc/nginx/modules-enabled/50-mod.conf\n"
    f"{OTHER}  /etc/nginx/nginx.conf.dpkg-dist",
    links="/etc/nginx/sites-enabled/default\t/etc/nginx/sites-available/default\n"
    "/etc/nginx/modules-enabled/50-mod.conf\t/usr/share/nginx/modules-available/mod.conf",
    conffiles=f" /etc/nginx/nginx.conf {SAME}\n /etc/nginx/sites-available/default {SAME} obsolete",
    owned="nginx-common: /etc/nginx/nginx.conf\n"
    "libnginx-mod, other: /usr/share/nginx/modules-available/mod.conf",
)


def test_what_packages_left_is_nobody_elses() -> None:
    assert parse_foreign(CLEAN, NGINX) == ForeignInstallation(Claim.NONE)


def test_changed_and_added_files_are_told_apart() -> None:
    text = CLEAN.replace(f"{SAME}  /etc/nginx/nginx.conf\n", f"{OTHER}  /etc/nginx/nginx.conf\n")
    text = text.replace("---- links\n", f"{OTHER}  /etc/nginx/conf.d/shop.conf\n---- links\n"
                        "/etc/nginx/sites-enabled/wiki\t/srv/gone\n")  # fmt: skip
    found = parse_foreign(text, NGINX)
    assert found.changed == ("/etc/nginx/nginx.conf",)
    assert found.added == ("/etc/nginx/conf.d/shop.conf", "/etc/nginx/sites-enabled/wiki")


def test_files_that_ucf_keeps_and_that_scripts_make_are_a_packages() -> None:
    text = answer(
        sums=f"{SAME}  /etc/mysql/kept.cnf\n{OTHER}  /etc/mysql/debian.cnf",
        ucf=f"{SAME}  /etc/mysql/kept.cnf",
    )
    assert parse_foreign(text, MYSQL) == ForeignInstallation(Claim.NONE)


def test_databases_of_their_own_and_another_makers_data_folder() -> None:
    text = answer(
        schemas="mysql\nshop\nperformance_schema\nsys\n#innodb_redo\n.ours\n\x1b[2Jevil",
        aria="/var/lib/mysql/aria_log_control",
    )
    found = parse_foreign(text, MYSQL)
    assert found.databases == ("\\x1b[2Jevil", "shop")
    assert found.data == ("/var/lib/mysql is a data folder of MariaDB's",)


@pytest.mark.parametrize(("count", "data"), [("0", 0), ("12", 1), ("", 0), ("many", 0)])
def test_recordings_of_their_own(count: str, data: int) -> None:
    assert len(parse_foreign(answer(files=count), ASTERISK).data) == data


@pytest.mark.parametrize("claim", [Claim.OURS, Claim.TAKEN_OVER])
def test_what_is_ours_or_was_handed_over_is_not_looked_at(claim: Claim) -> None:
    text = answer(claim.value, sums=f"{OTHER}  /etc/nginx/x.conf")
    assert parse_foreign(text, NGINX) == ForeignInstallation(claim)


@pytest.mark.parametrize("text", ["", "---- claim\nmine\n"])
def test_an_answer_that_is_none_is_no_verdict(text: str) -> None:
    with pytest.raises(ValueError, match=r"say whose|not a valid Claim"):
        parse_foreign(text, NGINX)


@pytest.mark.parametrize(
    ("found", "removed", "lists", "verdict"),
    [
        (ForeignInstallation(Claim.NONE), (), "own", Verdict.PASS),
        (ForeignInstallation(Claim.NONE), (), "none", Verdict.SKIP),
        (ForeignInstallation(Claim.OURS), (), "none", Verdict.PASS),
        (ForeignInstallation(Claim.TAKEN_OVER), ("mariadb-server (11)",), "own", Verdict.PASS),
        (ForeignInstallation(Claim.OURS), ("mariadb-server (11)",), "own", Verdict.FAIL),
        (ForeignInstallation(Claim.NONE), ("mariadb-server (11)",), "own", Verdict.FAIL),
        (
            ForeignInstallation(Claim.NONE, changed=("/etc/nginx/nginx.conf",)),
            (),
            "none",
            Verdict.FAIL,
        ),
        (ForeignInstallation(Claim.NONE, added=("/etc/nginx/x",)), (), "own", Verdict.FAIL),
        (ForeignInstallation(Claim.NONE, databases=("shop",)), (), "own", Verdict.FAIL),
        (ForeignInstallation(Claim.NONE, data=("/x holds 2 files",)), (), "own", Verdict.FAIL),
    ],
)
def test_verdicts(
    found: ForeignInstallation, removed: Sequence[str], lists: str, verdict: Verdict
) -> None:
    judged = judge_component(NGINX, found, removed, lists)  # type: ignore[arg-type]
    assert judged.verdict is verdict
    if verdict is Verdict.FAIL:
        assert judged.remedy is not None
        assert "--take-over nginx" in judged.remedy


def test_lists_are_bounded_and_the_evidence_is_whole() -> None:
    names = tuple(f"/etc/nginx/{number}" for number in range(20))
    judged = judge_component(NGINX, ForeignInstallation(Claim.NONE, added=names), (), "own")
    assert "/etc/nginx/7 and 12 more" in judged.observed
    assert "/etc/nginx/8" not in judged.observed
    assert "/etc/nginx/19" in judged.evidence


def test_a_package_that_every_fresh_system_has_may_be_replaced() -> None:
    assert judge_base(("systemd-timesyncd (257)",), "own").verdict is Verdict.PASS
    assert judge_base(("systemd-timesyncd (257)", "ntp (4)"), "own").verdict is Verdict.FAIL
    assert judge_base((), "none").verdict is Verdict.SKIP


def test_removals_by_set() -> None:
    text = (
        "---- lists\ncurrent\n---- removes 0\n---- removes 1\n"
        "Remv mariadb-server [1:11.8.3-1] []\nRemv mariadb-common [1:11.8.3-1]\nRemv odd\n"
    )
    state, removed = parse_removals(text, 3)
    assert state == "current"
    assert removed == (
        (),
        ("mariadb-server (1:11.8.3-1)", "mariadb-common (1:11.8.3-1)", "odd ()"),
        (),
    )


def test_each_component_is_asked_of_the_hosts_of_its_role_only_before_an_install() -> None:
    assert {check.stages for check in CHECKS} == {frozenset({Stage.PREFLIGHT})}
    asked: list[str] = []

    def host(argv: Sequence[str]) -> Completed:
        asked.append(argv[-1])
        text = "---- lists\ncurrent\n" if "apt-get" in argv[-1] else answer()
        text = recorded("system-sid") if "os-release" in argv[-1] else text
        return Completed(tuple(argv), 0, text, "", 0.0)

    (subject,) = subjects(answer=host)
    check = next(check for check in CHECKS if check.id == "foreign.coturn")
    assert check.judge(subject).verdict is Verdict.PASS
    assert any("/etc/turnserver.conf" in script for script in asked)


def defaults(role: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    return found


def test_apt_is_asked_for_the_very_packages_that_are_installed() -> None:
    system = system_row("debian", "sid")
    assert system is not None
    (base, clock, *others), *taken_over = apt._sets(system, tuple(Role)).values()
    asked = [name for one in (others, *taken_over) for wanted in one for name in wanted.packages]
    assert sorted(asked) == sorted(packages_at_once(system, Role))
    assert base.packages == tuple(defaults("packages")["packages_base"])
    assert clock.packages == ("chrony",)
    look = (ROLES / "packages/files/look.sh").read_text()
    daemons = re.search(r"for unit in (.*); do", look)
    assert daemons is not None
    assert clock.unless == tuple(f"{name}.service" for name in daemons[1].split())


@pytest.mark.parametrize("row", foreign(), ids=lambda row: row.id)
def test_the_sign_of_an_installation_is_a_file_that_the_role_writes(row: ForeignRow) -> None:
    phase = next(one.phase for one in components() if one.name == row.id)
    (play,) = yaml.safe_load((INSTALLER / f"playbooks/{phase}.yml").read_text())
    (role,) = play["roles"]
    tasks = "".join(path.read_text() for path in (ROLES / role["role"]).rglob("*.yml"))
    assert row.ours.file in tasks
