from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.unit.checks.subjects import big_site, subjects
from tests.unit.facts.outputs import recorded
from tests.unit.sites import plan_for_agents, small_site
from ucontact_appliance.checks.host import (
    CHECKS,
    REACHABLE,
    judge_greeting,
    judge_hostname,
    judge_processor,
    judge_silence,
    judge_system,
)
from ucontact_appliance.checks.host_clock import judge_clock, judge_time_sync
from ucontact_appliance.checks.host_software import (
    Controller,
    judge_archives,
    judge_packages,
    judge_python,
)
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.facts.dpkg import LockHolder, PackageManager
from ucontact_appliance.facts.host import (
    ClockOffset,
    Hardware,
    OwnName,
    PythonFound,
    System,
    TimeSync,
    parse_system,
)
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.services import Archive, parse_archives
from ucontact_appliance.planning.demand import cores_needed, memory_needed_mb
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.systems import system_row
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
        "not covered by the appliance's test suite"
        in judge_system(_system("ubuntu", "24.04"), _TODAY).observed
    )
    assert "test suite" not in judge_system(_system("debian", "11"), _TODAY).observed


_OLD_ANSIBLE = Controller("2.16.19", (3, 11), "/opt/ucontact/bin/python")
_NEW_ANSIBLE = Controller("2.21.4", (3, 14), "/opt/ucontact/bin/python")


def _python(version: str, found: tuple[int, ...], by: Controller) -> Judgement:
    row = system_row("ubuntu", version)
    assert row is not None
    return judge_python(row, PythonFound(row.python, found), by)


@pytest.mark.parametrize(
    ("version", "found", "by", "verdict"),
    [
        ("16.04", (2, 7), _OLD_ANSIBLE, Verdict.PASS),
        ("16.04", (2, 7), _NEW_ANSIBLE, Verdict.FAIL),
        ("18.04", (3, 6), _OLD_ANSIBLE, Verdict.PASS),
        ("18.04", (3, 6), _NEW_ANSIBLE, Verdict.FAIL),
        ("20.04", (3, 8), _NEW_ANSIBLE, Verdict.FAIL),
        ("20.04", (3, 8), replace(_NEW_ANSIBLE, ansible="2.19.14"), Verdict.PASS),
        ("22.04", (3, 10), _NEW_ANSIBLE, Verdict.PASS),
        ("24.04", (3, 12), _OLD_ANSIBLE, Verdict.PASS),
        ("24.04", (), _OLD_ANSIBLE, Verdict.FAIL),
    ],
)
def test_the_ansible_here_must_drive_the_python_there(
    version: str, found: tuple[int, ...], by: Controller, verdict: Verdict
) -> None:
    assert _python(version, found, by).verdict is verdict


def test_a_python_that_is_too_old_for_this_ansible_is_answered_by_another_machine() -> None:
    told = _python("18.04", (3, 6), _NEW_ANSIBLE)
    assert told.observed == ("Python 3.6, not supported by ansible-core 2.21.4 of this machine")
    assert told.required == "/usr/bin/python3: Python 3.9 or later for ansible-core 2.21.4"
    assert "Python 3.10, 3.11 or 3.12, which gets ansible-core 2.16" in told.remedy
    assert "python3.12 -m venv" in told.remedy


def test_a_machine_that_could_have_the_older_ansible_is_told_to_take_it() -> None:
    told = _python("18.04", (3, 6), replace(_NEW_ANSIBLE, python=(3, 12)))
    assert told.remedy.startswith("/opt/ucontact/bin/python -m pip install 'ansible-core==2.16.*'")


def test_a_python_that_is_missing_is_installed() -> None:
    missing = _python("16.04", (), _OLD_ANSIBLE)
    assert missing.observed == "/usr/bin/python2.7 is missing"
    assert missing.remedy == "{ssh} apt-get install -y python2.7"


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
    assert judge_clock(ClockOffset(ahead, uncertainty)).verdict is verdict


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
        (0, "192.0.2.1", Verdict.PASS, "one responds over SSH in 0.25 s"),
        (0, "local", Verdict.PASS, "one is this machine"),
        (1, "192.0.2.1", Verdict.FAIL, "one responds, but cannot run commands (exit status 1)"),
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
    plan = make_plan(small_site(agents=29), {"one": HostResources(memory_mb=8192)})
    assert memory_needed_mb(plan.tuning, plan.hosts[0].roles) < 8192
    assert cores_needed(plan, plan.hosts[0]) <= 2


@pytest.mark.parametrize(
    ("agents", "cpus", "verdict"),
    [
        (1000, 64, Verdict.PASS),
        (1000, 4, Verdict.WARN),
        (1001, 256, Verdict.FAIL),
        (1001, 4, Verdict.FAIL),
    ],
)
def test_no_processor_makes_one_asterisk_carry_more_than_it_is_known_to(
    agents: int, cpus: int, verdict: Verdict
) -> None:
    plan = plan_for_agents(agents)
    telephony, backend, _ = plan.hosts
    found = Hardware(cpus, "EPYC", 65536, 67108864, "x86_64", "kvm", False, "")
    judged = judge_processor(found, plan, telephony)
    assert judged.verdict is verdict
    assert judge_processor(found, plan, backend).verdict is Verdict.PASS
    if verdict is Verdict.FAIL:
        assert judged.observed == "2002 calls are planned for one Asterisk"
        assert "at most 2000 concurrent calls" in judged.required
        assert "ucontact plan --site {site}" in judged.remedy


def test_a_hosts_needs_are_those_of_its_roles() -> None:
    plan = make_plan(big_site(), {})
    telephony, backend, database = plan.hosts
    assert cores_needed(plan, telephony) > cores_needed(plan, backend) == 1.0
    assert memory_needed_mb(plan.tuning, database.roles) > plan.tuning.database.buffer_pool_mb
    assert memory_needed_mb(plan.tuning, backend.roles) > plan.tuning.backend.heap_mb


# As OpenSSH 9.2 says it.
_CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key verification failed."""


@pytest.mark.parametrize(
    ("port", "name"), [(22, "192.0.2.1"), (2222, "'[192.0.2.1]:2222'")], ids=["usual", "other"]
)
def test_another_host_key_is_told_with_how_to_forget_the_pinned_one(port: int, name: str) -> None:
    host = Host(name="one", address="192.0.2.1", port=port)
    away = judge_silence("no way", "Connection refused", host, Path("/etc/k"))
    assert (away.verdict, away.observed, away.remedy) == (Verdict.FAIL, "no way", "")
    changed = judge_silence("no way", _CHANGED, host, Path("/etc/k"))
    assert "a host key that differs from the pinned one" in changed.observed
    assert changed.remedy.startswith(f"ssh-keygen -f /etc/k -R {name}  # ")


@pytest.mark.parametrize(
    ("found", "verdict", "words", "remedy"),
    [
        (PackageManager((), (), ""), Verdict.PASS, "no half-installed package", ""),
        (PackageManager((), ("0000",), ""), Verdict.FAIL, "dpkg was interrupted", ""),
        (PackageManager((), (), "only half configured:\n a  A"), Verdict.FAIL, "installed: a", ""),
        (
            PackageManager((), (), "must be reinstalled:\n bb  B"),
            Verdict.FAIL,
            "installed: bb",
            "install --reinstall bb",
        ),
        (
            PackageManager((LockHolder(4711, "apt-get", "/var/lib/dpkg/lock"),), ("0000",), "half"),
            Verdict.SKIP,
            "apt-get (process 4711) is changing packages",
            "",
        ),
    ],
)
def test_packages_are_judged_only_when_nobody_changes_them(
    found: PackageManager, verdict: Verdict, words: str, remedy: str
) -> None:
    judged = judge_packages(found)
    assert judged.verdict is verdict
    assert words in str(judged.observed)
    assert remedy in judged.remedy
