from dataclasses import replace
from datetime import date

import pytest

from tests.unit.checks.subjects import big_site, subjects
from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.checks.host import (
    CHECKS,
    REACHABLE,
    judge_archives,
    judge_clock,
    judge_greeting,
    judge_hostname,
    judge_system,
    judge_time_sync,
)
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.host import Clock, OwnName, System, TimeSync, parse_system
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.services import Archive, parse_archives
from ucontact_appliance.planning.demand import cores_needed, memory_needed_mb
from ucontact_appliance.planning.iron import Iron
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Host

_TODAY = date(2026, 11, 23)


def _system(os_id: str, version: str) -> System:
    found = parse_system(recorded("system-sid"))
    return replace(found, os_id=os_id, os_version=version, os_name=f"{os_id} {version}")


@pytest.mark.parametrize(
    ("os_id", "version", "verdict", "words"),
    [
        ("ubuntu", "24.04", Verdict.PASS, "until 2029"),
        ("ubuntu", "20.04", Verdict.WARN, "ended on 2025"),
        ("ubuntu", "16.04", Verdict.WARN, "ended on 2021"),
        ("debian", "11", Verdict.WARN, "ended on 2026-08-31"),
        ("debian", "", Verdict.PASS, "rolling"),
        ("ubuntu", "25.10", Verdict.FAIL, "ubuntu 25.10"),
        ("fedora", "43", Verdict.FAIL, "fedora 43"),
    ],
)
def test_systems(os_id: str, version: str, verdict: Verdict, words: str) -> None:
    found = judge_system(_system(os_id, version), _TODAY)
    assert found.verdict is verdict
    assert words in found.observed
    assert "Ubuntu 20.04" in found.required


def test_a_system_that_the_suite_does_not_run_is_said_to_be_so() -> None:
    assert (
        "not in the appliance's test suite"
        in judge_system(_system("ubuntu", "24.04"), _TODAY).observed
    )
    assert "test suite" not in judge_system(_system("debian", "11"), _TODAY).observed


@pytest.mark.parametrize(
    ("ahead", "uncertainty", "verdict"),
    [
        (0.2, 0.1, Verdict.PASS),
        (-8.0, 0.1, Verdict.WARN),
        (301.0, 0.1, Verdict.FAIL),
        (-86400.0, 0.1, Verdict.FAIL),
        (6.0, 2.0, Verdict.PASS),  # a slow way there is no wrong clock
    ],
)
def test_clock(ahead: float, uncertainty: float, verdict: Verdict) -> None:
    assert judge_clock(Clock(ahead, uncertainty)).verdict is verdict


@pytest.mark.parametrize(
    ("service", "synchronised", "container", "verdict"),
    [
        ("chrony", True, False, Verdict.PASS),
        ("chrony", False, False, Verdict.WARN),
        ("", False, False, Verdict.FAIL),
        ("", False, True, Verdict.SKIP),
        ("chrony", True, True, Verdict.SKIP),
    ],
)
def test_time_sync(service: str, synchronised: bool, container: bool, verdict: Verdict) -> None:
    assert judge_time_sync(TimeSync(service, synchronised, ""), container).verdict is verdict


@pytest.mark.parametrize(
    ("status", "address", "verdict", "words"),
    [
        (0, "192.0.2.1", Verdict.PASS, "one answers over ssh in 0.25 s"),
        (0, "local", Verdict.PASS, "one is this machine"),
        (1, "192.0.2.1", Verdict.FAIL, "one answers, but runs no command (exit status 1)"),
        (127, "local", Verdict.FAIL, "exit status 127"),
    ],
)
def test_a_host_is_reached_when_it_runs_what_it_is_told(
    status: int, address: str, verdict: Verdict, words: str
) -> None:
    refusal = "sudo: a password is required" if status else ""
    done = Completed(("true",), status, "", refusal, 0.25)
    found = judge_greeting(done, Host(name="one", address=address))
    assert found.verdict is verdict
    assert words in found.observed
    assert refusal in found.evidence


def test_the_host_that_asks_for_a_password_blocks_what_builds_on_it() -> None:
    reachable = next(check for check in CHECKS if check.id == REACHABLE)
    (one,) = subjects(answer=lambda argv: Completed(tuple(argv), 1, "", "sudo: no", 0.0))
    assert reachable.judge(one).verdict is Verdict.FAIL


def test_hostname() -> None:
    assert judge_hostname(OwnName("one", "127.0.1.1", "")).verdict is Verdict.PASS
    assert judge_hostname(OwnName("one", "", "")).verdict is Verdict.FAIL


_GOOD = Archive("https://a.example/InRelease", True, "")
_BAD = Archive("https://b.example/InRelease", False, "E: refused")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((_GOOD,), Verdict.PASS),
        ((_GOOD, _BAD), Verdict.WARN),
        ((_BAD,), Verdict.FAIL),
        ((), Verdict.FAIL),
    ],
)
def test_archives(found: tuple[Archive, ...], verdict: Verdict) -> None:
    judged = judge_archives(found)
    assert judged.verdict is verdict
    if _BAD in found:
        assert "E: refused" in judged.evidence


def test_the_login_of_a_mirror_is_not_shown() -> None:
    text = (
        "yes https://bob:t0ken@a.example/debian/dists/sid/InRelease\n"
        "no http://t0ken@b.example:8080/x/InRelease Err http://t0ken@b.example:8080/x 401\n"
        "no https://c.example/InRelease E: mail root@c.example\n"
    )
    found = parse_archives(text)
    assert "t0ken" not in repr(judge_archives(found))
    assert found[0].release_file == "https://a.example/debian/dists/sid/InRelease"
    assert found[1] == Archive(
        "http://b.example:8080/x/InRelease", False, "Err http://b.example:8080/x 401"
    )
    assert found[2].said == "E: mail root@c.example"


def test_a_small_site_fits_into_the_memory_that_the_vendor_names() -> None:
    plan = make_plan(small_site(agents=29), {"one": Iron(memory_mb=8192)})
    assert memory_needed_mb(plan.tuning, plan.hosts[0].roles) < 8192
    assert cores_needed(plan, plan.hosts[0]) <= 2


def test_a_hosts_needs_are_those_of_its_roles() -> None:
    plan = make_plan(big_site(), {})
    telephony, backend, database = plan.hosts
    assert cores_needed(plan, telephony) > cores_needed(plan, backend) == 1.0
    assert memory_needed_mb(plan.tuning, database.roles) > plan.tuning.database.buffer_pool_mb
    assert memory_needed_mb(plan.tuning, backend.roles) > plan.tuning.backend.heap_mb
