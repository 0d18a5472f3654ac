import sys

import pytest

from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.facts.host import (
    PythonFound,
    parse_hardware,
    parse_own_name,
    parse_system,
    parse_time_sync,
    python,
    script,
    sections,
)
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.facts.source import ProbeContext


@pytest.mark.parametrize("suite", ["sid", "bullseye"])
def test_hardware_counts_nominal_memory(suite: str) -> None:
    found = parse_hardware(recorded(f"hardware-{suite}"))
    assert (found.cpus, found.model, found.architecture) == (2, "AMD EPYC", "x86_64")
    assert (found.memory_kb, found.memory_mb) == (24684096, 24576)
    assert (found.virtualisation, found.container) == ("systemd-nspawn", True)


@pytest.mark.parametrize(("suite", "version"), [("sid", ""), ("bullseye", "11")])
def test_system(suite: str, version: str) -> None:
    found = parse_system(recorded(f"system-{suite}"))
    assert (found.os_id, found.os_version, found.uid, found.init) == (
        "debian",
        version,
        0,
        "systemd",
    )
    assert found.reboot_required == ""


def test_a_pending_restart_is_kept_with_the_packages_that_ask_for_it() -> None:
    text = recorded("system-sid") + "*** System restart required ***\nlinux-image-amd64\n"
    assert "linux-image-amd64" in parse_system(text).reboot_required


@pytest.mark.parametrize(
    ("suite", "name", "address"),
    [("sid", "tel1", "127.0.1.1"), ("bullseye", "chkbul", "10.203.17.11")],
)
def test_own_name(suite: str, name: str, address: str) -> None:
    found = parse_own_name(recorded(f"own_name-{suite}"))
    assert (found.name, found.address) == (name, address)


def test_a_name_that_does_not_resolve_has_no_address() -> None:
    assert parse_own_name("---- name\none\n---- resolves\n").address == ""


_NOBODY = "inactive\ninactive\ninactive\ninactive\ninactive\ninactive"


@pytest.mark.parametrize(
    ("units", "status", "tracking", "service", "synchronised"),
    [
        (_NOBODY, "no", "", "", False),
        (
            _NOBODY.replace("inactive", "active", 1),
            "no",
            "Leap status     : Normal",
            "chrony",
            True,
        ),
        ("inactive\ninactive\nactive", "yes", "", "systemd-timesyncd", True),
        ("inactive\ninactive\nactive", "no", "", "systemd-timesyncd", False),
        # Ubuntu 16.04 has no `timedatectl show`
        ("inactive\ninactive\nactive", "NTP synchronized: yes", "", "systemd-timesyncd", True),
    ],
)
def test_time_sync(
    units: str, status: str, tracking: str, service: str, synchronised: bool
) -> None:
    found = parse_time_sync(
        f"---- units\n{units}\n---- status\n{status}\n---- tracking\n{tracking}\n"
    )
    assert (found.service, found.synchronised) == (service, synchronised)


def test_time_sync_of_a_container() -> None:
    found = parse_time_sync(recorded("time_sync-sid"))
    assert (found.service, found.synchronised) == ("", False)


def test_the_question_to_python_is_answered_by_this_one() -> None:
    reach = ProbeContext(small_site(), small_site().hosts[0], LocalRunner())
    found = python(reach, sys.executable)
    assert found == PythonFound(sys.executable, sys.version_info[:2])
    assert python(reach, "/no/such/python") == PythonFound("/no/such/python", ())


def test_sections_are_what_script_marks() -> None:
    assert script(one="true", two="date") == "echo '---- one'; true\necho '---- two'; date"
    assert sections("---- one\na\nb\n---- two\n") == {"one": "a\nb", "two": ""}
