import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.services import (
    parse_archives,
    parse_failed_units,
    parse_settings,
    parse_sshd_settings,
)


@pytest.mark.parametrize(
    "text",
    [
        "dev-hugepages.mount loaded failed failed Huge Pages File System\n",
        "● dev-hugepages.mount loaded failed failed Huge Pages File System\n",
    ],
)
def test_failed_units(text: str) -> None:
    assert parse_failed_units(text) == ("dev-hugepages.mount",)


def test_no_failed_units() -> None:
    assert parse_failed_units(recorded("failed_units-sid")) == ()


@pytest.mark.parametrize(
    ("suite", "root"), [("bullseye", "without-password"), ("sid", "prohibit-password")]
)
def test_sshd_writes_its_keywords_in_any_case(suite: str, root: str) -> None:
    found = parse_sshd_settings(recorded(f"sshd-{suite}"))
    assert found["permitrootlogin"] == root
    assert found["passwordauthentication"] == "yes"


def test_settings() -> None:
    text = (
        "# why\n\nnet.core.somaxconn = 4096\n-vm/swappiness=10\n"
        "net.ipv4.ip_local_port_range = 1  2\n"
    )
    assert parse_settings(text) == {
        "net.core.somaxconn": "4096",
        "vm.swappiness": "10",
        "net.ipv4.ip_local_port_range": "1 2",
    }


def test_archives() -> None:
    good, bad = parse_archives(
        "yes https://archive.example/dists/stable/InRelease\n"
        "no http://other.example/dists/x/InRelease E: Failed to fetch\n"
    )
    assert good.reached
    assert (bad.reached, bad.said) == (False, "E: Failed to fetch")
