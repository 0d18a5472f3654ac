from collections.abc import Iterable, Sequence
from datetime import date

import pytest

from tests.unit.checks.subjects import big_site, subjects
from tests.unit.facts.outputs import DOCUMENTED, policy, recorded
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Judgement, Stage, Subject, Verdict
from ucontact_appliance.checks.packages import CHECKS, PackageContext, judge_component
from ucontact_appliance.facts.packages import AptPackages, Lists, parse_answer
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.findings.run import run_tasks, tasks_for
from ucontact_appliance.planning.component_tables import package_requirements
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import system_row

_TODAY = date(2026, 11, 23)
_SUITES = {"11": "bullseye", "12": "bookworm", "13": "trixie", "": "sid"}


def answer(os_id: str, version: str) -> str:
    if os_id == "debian":
        return recorded(f"packages-{_SUITES[version]}")
    return policy(DOCUMENTED[version])


def judged(
    os_id: str,
    version: str,
    *,
    roles: Iterable[Role] = tuple(Role),
    text: str | None = None,
    lists: Lists = "own",
) -> dict[str, Judgement]:
    """Each component's judgement on such a server."""
    row = system_row(os_id, version)
    assert row is not None
    _, known = parse_answer(answer(os_id, version) if text is None else text)
    place = PackageContext(row, tuple(roles), _TODAY, AptPackages(lists, known))
    return {
        part.id: judge_component(part, place)
        for part in package_requirements()
        if part.role in roles
    }


def failures(findings: dict[str, Judgement]) -> set[str]:
    assert {found.verdict for found in findings.values()} <= {Verdict.PASS, Verdict.FAIL}
    return {name for name, found in findings.items() if found.verdict is Verdict.FAIL}


@pytest.mark.parametrize(
    ("os_id", "version", "wrong"),
    [
        ("ubuntu", "16.04", {"nginx", "asterisk", "odbc"}),
        ("ubuntu", "18.04", {"nginx", "odbc"}),
        ("ubuntu", "20.04", set()),
        ("ubuntu", "22.04", set()),
        ("ubuntu", "24.04", set()),
        ("debian", "11", {"java", "mysql"}),
        ("debian", "12", {"java", "mysql", "asterisk"}),
        ("debian", "13", {"java", "mysql", "asterisk"}),
        ("debian", "", set()),
    ],
)
def test_each_system_as_it_comes(os_id: str, version: str, wrong: set[str]) -> None:
    assert failures(judged(os_id, version)) == wrong


def test_an_old_version_is_said_with_what_is_asked_and_why() -> None:
    found = judged("ubuntu", "18.04")["nginx"]
    assert found.observed == "NGINX 1.14.0-1 (apt would install it)"
    assert found.required == "NGINX 1.17.0 or later: required by R17"
    assert "Candidate: 1.14.0-1" in found.evidence
    assert "nginx.org" in found.remedy
    assert "Ubuntu 24.04" in found.remedy


def test_a_missing_package_is_said_with_the_systems_that_have_it() -> None:
    found = judged("debian", "12", roles=[Role.DATABASE])["mysql"]
    assert found.observed == "apt knows no package mysql-server for Debian 12"
    assert found.remedy.endswith("  # use a server with Ubuntu 24.04 or Ubuntu 22.04 for it")


def test_the_vendors_archive_is_a_way_out_for_telephony() -> None:
    assert "vendor's Asterisk 13.35" in judged("debian", "13")["asterisk"].remedy
    assert "vendor's Asterisk 13.35" in judged("ubuntu", "16.04")["asterisk"].remedy


def test_a_makers_archive_on_the_server_is_good_enough() -> None:
    offered = DOCUMENTED["18.04"] | {"nginx": "1.26.3", "odbc-mariadb": "3.1.15"}
    assert failures(judged("ubuntu", "18.04", text=policy(offered))) == set()
    offered = DOCUMENTED["16.04"] | {"nginx": "1.26.3", "asterisk": "13.35.0"}
    assert failures(judged("ubuntu", "16.04", text=policy(offered))) == {"odbc"}


def test_a_distributions_package_that_its_sources_leave_out_is_missed() -> None:
    offered = {name: version for name, version in DOCUMENTED["24.04"].items() if name != "asterisk"}
    found = judged("ubuntu", "24.04", text=policy(offered))["asterisk"]
    assert found.verdict is Verdict.FAIL
    assert "own archive has Asterisk 20.6" in found.remedy
    assert "universe" in found.remedy


def test_what_is_installed_is_what_counts() -> None:
    text = policy(DOCUMENTED["18.04"] | {"odbc-mariadb": "3.1.4"})
    text = text.replace("Installed: (none)", "Installed: 1.20.1-1", 1)
    found = judged("ubuntu", "18.04", text=text)
    assert failures(found) == set()
    assert found["nginx"].observed == "NGINX 1.20.1-1 (installed)"


def test_a_build_of_ones_own_is_not_overwritten() -> None:
    row = system_row("ubuntu", "20.04")
    assert row is not None
    _, known = parse_answer(policy(DOCUMENTED["20.04"]))
    place = PackageContext(
        row, (Role.TELEPHONY,), _TODAY, AptPackages("own", known), "/usr/sbin/asterisk"
    )
    found = judge_component(
        next(part for part in package_requirements() if part.id == "asterisk"), place
    )
    assert found.verdict is Verdict.FAIL
    assert found.observed.startswith("/usr/sbin/asterisk belongs to no package")
    assert found.remedy.startswith("{ssh} mv /usr/sbin/asterisk /usr/sbin/asterisk.kept")


def test_without_any_lists_the_table_speaks_but_passes_nothing() -> None:
    found = judged("ubuntu", "18.04", text=policy({}, "missing"), lists="none")
    assert {name for name, each in found.items() if each.verdict is Verdict.SKIP} == {
        "java",
        "mysql",
        "asterisk",
        "coturn",
    }
    assert {name for name, each in found.items() if each.verdict is Verdict.FAIL} == {
        "nginx",
        "odbc",
    }


def test_lists_that_were_read_and_lack_a_package_are_believed() -> None:
    found = judged("ubuntu", "24.04", text=policy({}), lists="own")
    assert failures(found) == {part.id for part in package_requirements()}


def _on(text: str) -> Sequence[Subject]:
    def say(argv: Sequence[str]) -> Completed:
        said = recorded("system-bullseye") if "os-release" in argv[-1] else text
        said = "" if "dpkg-query -S" in argv[2] else said
        return Completed(tuple(argv), 0, said, "", 0.0)

    return subjects(big_site(), say)


def test_only_the_packages_of_a_servers_own_roles_are_judged() -> None:
    findings = run_tasks(
        tasks_for(CHECKS, _on(recorded("packages-bullseye"))), lambda found, host: found, _nobody
    )
    assert {(found.host, found.id, found.verdict) for found in findings} == {
        ("tel", "packages.asterisk", Verdict.PASS),
        ("tel", "packages.odbc", Verdict.PASS),
        ("tel", "packages.coturn", Verdict.PASS),
        ("app", "packages.nginx", Verdict.PASS),
        ("app", "packages.java", Verdict.FAIL),
        ("db", "packages.mysql", Verdict.FAIL),
    }


def test_the_distributions_asterisk_is_not_asked_for_where_site_yml_names_the_vendors() -> None:
    def say(argv: Sequence[str]) -> Completed:
        said = recorded("system-bullseye") if "os-release" in argv[-1] else policy({})
        said = "" if "dpkg-query -S" in argv[2] else said
        return Completed(tuple(argv), 0, said, "", 0.0)

    package = {"file": "/v/asterisk_13.35-1_amd64.deb", "sha256": "0" * 64}
    sections: dict[str, object] = {"source": "package", "packages": [package]}
    for telephony, verdict in (({}, Verdict.FAIL), (sections, Verdict.SKIP)):
        (subject,) = subjects(small_site(telephony=telephony), say)
        (asked,) = (check for check in CHECKS if check.id == "packages.asterisk")
        assert asked.judge(subject).verdict is verdict


def test_a_system_without_a_row_is_not_judged_here() -> None:
    def say(argv: Sequence[str]) -> Completed:
        said = recorded("system-bullseye").replace("ID=debian", "ID=fedora")
        return Completed(tuple(argv), 0, said, "", 0.0)

    (subject,) = subjects(small_site(), say)
    assert {check.judge(subject).verdict for check in CHECKS} == {Verdict.SKIP}


def test_they_belong_to_preflight_alone() -> None:
    assert {check.stages for check in CHECKS} == {frozenset({Stage.PREFLIGHT})}


def _nobody(found: object) -> None:
    return None
