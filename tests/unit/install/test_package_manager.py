"""Waiting for apt: the holder is named, the wait ends, and what is half-way is finished or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.runner import Completed, SshSettings
from ucontact_appliance.install import package_manager
from ucontact_appliance.install.package_manager import ready_package_managers, says_locked
from ucontact_appliance.site.model import Host

FREE = "---- holders\n---- journal\n---- audit\n"
HELD = "---- holders\n4711 /var/lib/dpkg/lock-frontend unattended-upgr\n---- journal\n---- audit\n"
HALF = "---- holders\n---- journal\n0000\n---- audit\n"
SSH = SshSettings(Path("known_hosts"))


class Server:
    """Answers each look with the next state, the last one for ever; `finishes` is dpkg's status."""

    def __init__(self, *states: str, finishes: int = 0) -> None:
        self._states = list(states)
        self._finishes = finishes
        self.finished = 0

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        script = argv[-1]
        if "--configure -a" in script:
            self.finished += 1
            return Completed(tuple(argv), self._finishes, "dpkg: error processing", "", 0.0)
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return Completed(tuple(argv), 0, state, "", 0.0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock goes on by what is slept, and by nothing else."""
    slept: list[float] = []
    monkeypatch.setattr(package_manager.time, "sleep", slept.append)
    monkeypatch.setattr(package_manager.time, "monotonic", lambda: sum(slept))
    return slept


def ready(
    monkeypatch: pytest.MonkeyPatch, server: Server, *, finish: bool = False, end: bool = False
) -> list[str]:
    @contextmanager
    def reached(host: Host, ssh: SshSettings) -> Iterator[Server]:
        yield server

    monkeypatch.setattr(package_manager, "runner_for", reached)
    told: list[str] = []
    ready_package_managers(small_site().hosts, SSH, told.append, finish=finish, ending=lambda: end)
    return told


def test_who_has_locked_apt_is_named_and_waited_for(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    told = ready(monkeypatch, Server(HELD, HELD, FREE))
    assert len(told) == 2
    assert "wait for unattended-upgr (process 4711) to release apt (0 s of 300)" in told[0]
    assert "(2 s of 300)" in told[1]


def test_the_wait_ends_with_the_name_of_the_holder(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    with pytest.raises(PhaseFailedError, match=r"locked for 30\d s by unattended-upgr") as caught:
        ready(monkeypatch, Server(HELD))
    assert "ps -fp 4711" in caught.value.helps
    assert sum(waits) == pytest.approx(300, abs=2)


def test_a_run_that_is_ended_waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    with pytest.raises(PhaseFailedError, match="locked for 0 s"):
        ready(monkeypatch, Server(HELD), end=True)
    assert waits == []


def test_only_what_our_own_run_left_is_finished(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    foreign, ours, well = Server(HALF), Server(HELD, HALF), Server(FREE)
    assert ready(monkeypatch, foreign) == []
    assert foreign.finished == 0
    assert any("complete the packages" in text for text in ready(monkeypatch, ours, finish=True))
    assert ours.finished == 1
    ready(monkeypatch, well, finish=True)
    assert well.finished == 0


def test_what_can_not_be_finished_is_told_in_dpkgs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PhaseFailedError, match="can't be completed") as caught:
        ready(monkeypatch, Server(HALF, finishes=1), finish=True)
    assert "error processing" in caught.value.evidence


@pytest.mark.parametrize(
    ("message", "locked"),
    [
        # apt 1.0 to 1.8, apt 1.9 and later, Ansible's apt module, dpkg alone
        ("E: Could not get lock /var/lib/dpkg/lock - open (11: Resource temporarily un", True),
        (
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt)",
            True,
        ),
        ("Failed to lock apt for exclusive operation: Failed to lock directory /var/lib/a", True),
        ("dpkg: error: dpkg frontend lock was locked by another process with pid 812", True),
        ("dpkg: error: dpkg status database is locked by another process", True),
        ("E: Unable to lock directory /var/lib/apt/lists/", True),
        ("E: Unable to locate package nginx", False),
        ("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", False),
        ("account locked", False),
    ],
)
def test_a_lock_is_told_from_other_failures(message: str, locked: bool) -> None:
    assert says_locked(message) is locked
