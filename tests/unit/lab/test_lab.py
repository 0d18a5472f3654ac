"""The lab's decisions: mirror, addresses, names. Machines themselves: tests/e2e/test_lab.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.errors import UsageError
from ucontact_appliance.lab import commands, images, layout
from ucontact_appliance.lab.machines import Spec, choose_address, up
from ucontact_appliance.lab.mirror import choose_mirror

# Recorded from apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)', hosts replaced.
RECORDED = """\
https://packages.example.com/apt cloud-tools cloud-tools
https://mirror.example.net/debian-security/ Debian Debian-Security
https://mirror.example.net/debian Debian Debian
"""


def test_the_mirror_is_the_hosts_own_main_archive() -> None:
    assert choose_mirror(RECORDED) == "https://mirror.example.net/debian/"


@pytest.mark.parametrize(
    "listed", ["", "https://mirror.example.net/debian-security/ Debian Debian-S"]
)
def test_without_a_debian_archive_the_error_says_what_there_is(listed: str) -> None:
    with pytest.raises(UsageError, match="names no Debian archive"):
        choose_mirror(listed)


@given(st.sets(st.integers(layout.FIRST_MACHINE, 250)))
def test_an_address_is_never_given_twice(taken: set[int]) -> None:
    used = {str(layout.NETWORK[number]) for number in taken}
    chosen = choose_address(used)
    assert chosen not in used
    assert chosen != str(layout.GATEWAY)


def test_a_full_range_is_told() -> None:
    with pytest.raises(UsageError, match="full"):
        choose_address({str(address) for address in layout.NETWORK})


@pytest.mark.parametrize("name", ["", "A", "-a", "a_b", "../x", "a" * 40, "a b"])
def test_a_name_that_could_reach_elsewhere_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ucontact_appliance.lab.machines.require_tools", lambda: None)
    with pytest.raises(UsageError, match="no name for a machine"):
        up(Spec(name), lambda text: None)


def test_an_unknown_suite_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        images.base_image("potato", lambda text: None)
    assert "sid" in caught.value.evidence


def test_missing_tools_are_named_with_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "nft" else f"/usr/bin/{tool}")
    with pytest.raises(UsageError) as caught:
        commands.require_tools()
    assert caught.value.helps == "apt-get install --no-install-recommends nftables"


def test_without_root_there_are_no_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="need root"):
        commands.require_tools()


def test_a_machine_that_says_ubuntu_says_too_that_it_is_debian(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    images.pretend_ubuntu(tmp_path, "22.04")
    text = (tmp_path / "etc/os-release").read_text()
    assert 'VERSION_ID="22.04"' in text
    assert "made of Debian" in text
