"""A first look that fails names its host and a command to try."""

from __future__ import annotations

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Completed, SshRunner
from ucontact_appliance.install.surveying import look
from ucontact_appliance.operate.reach import reaching
from ucontact_appliance.site.model import Host
from ucontact_appliance.state import state_paths

HOST = Host(name="one", address="192.0.2.10", user="ops", port=2222)


def test_a_host_that_hangs_after_the_login_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*words: object, **options: object) -> Completed:
        raise TimeoutError("sh -c 'cat /etc/os-release': no answer within 20 s")

    monkeypatch.setattr(SshRunner, "run", hangs)
    site = small_site()
    with pytest.raises(UnreachableError) as caught:
        look(site, state_paths(site.site))
    assert f"{site.hosts[0].name} ({site.hosts[0].address})" in caught.value.what
    assert "no answer within 20 s" in caught.value.evidence
    assert f"ucontact shell {site.hosts[0].name} -- id -u" in caught.value.helps


def test_a_host_that_refuses_sudo_is_named_with_what_to_allow() -> None:
    with pytest.raises(UnreachableError) as caught, reaching(HOST):
        raise UnreachableError(
            "the host can't be inspected", evidence="sudo: a password is required"
        )
    assert "one (192.0.2.10): the host can't be inspected" in caught.value.what
    assert "sudo: a password is required" in caught.value.evidence
    assert caught.value.helps.startswith("ucontact shell one -- id -u ")
    assert "ops ALL=(ALL) NOPASSWD: ALL" in caught.value.helps


def test_what_is_told_already_stays_as_it_is() -> None:
    known = UnreachableError("host one can't be reached over ssh", helps="ssh ops@192.0.2.10")
    with pytest.raises(UnreachableError) as caught, reaching(HOST):
        raise known
    assert caught.value is known


def test_the_machine_that_installs_is_asked_without_ssh() -> None:
    host = Host(name="here", address="local")
    with pytest.raises(UnreachableError) as caught, reaching(host):
        raise TimeoutError("no answer within 20 s")
    assert caught.value.helps.startswith("id -u ")
