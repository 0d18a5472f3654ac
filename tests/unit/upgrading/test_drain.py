"""New calls are refused until the others have ended, and admitted again whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.install.jobs import job_of
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.install.events import Event, TaskStarted, Warned
from ucontact_appliance.install.job import Job
from ucontact_appliance.upgrading import drain
from ucontact_appliance.upgrading.drain import AdmitPhase, DrainPhase, Refusal, admit_again


class Asterisk(FakeRunner):
    """An Asterisk with fewer calls each time that it is asked."""

    def __init__(self, calls: Sequence[str]) -> None:
        super().__init__(self._answered)
        self.calls = list(calls)
        self.settings: list[str] = []

    def _answered(self, argv: Sequence[str]) -> Completed:
        command = argv[-1]
        if command.startswith("dialplan set global"):
            self.settings.append(command.rpartition(" ")[2])
            return Completed(tuple(argv), 0, "", "", 0.0)
        said = self.calls.pop(0) if len(self.calls) > 1 else self.calls[0]
        return Completed(tuple(argv), 0, said, "", 0.0)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def job(events: list[Event]) -> Job:
    return job_of(events.append)


def using(asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def asterisks(job: Job) -> Iterator[tuple[Asterisk, ...]]:
        yield (asterisk,)

    monkeypatch.setattr(drain, "_asterisks", asterisks)
    monkeypatch.setattr(drain, "_POLL_SECONDS", 0.001)


def test_it_waits_for_the_calls_that_are_up(
    job: Job, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    asterisk = Asterisk(
        [
            "3 active channels\n2 active calls\n9 calls processed",
            "1 of 35 max active call ( 2.86% of capacity)\n",
            "0 active calls\n",
        ]
    )
    using(asterisk, monkeypatch)
    refusal = Refusal()
    assert DrainPhase(60, refusal).run(job) == 0
    assert asterisk.settings == ["yes"]
    told = [event.name for event in events if isinstance(event, TaskStarted)]
    assert told == ["Wait for 2 calls, at most 60 s", "Wait for 1 call, at most 60 s"]
    AdmitPhase((), refusal).run(job)
    assert asterisk.settings == ["yes", "no"]
    seconds = refusal.seconds
    assert 0 < seconds == refusal.seconds < 5


def test_it_goes_on_with_calls_when_the_time_is_over(
    job: Job, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    using(Asterisk(["7 active calls\n"]), monkeypatch)
    DrainPhase(0.01, Refusal()).run(job)
    warned = [event.text for event in events if isinstance(event, Warned)]
    assert warned == ["7 calls are still up; the upgrade goes on"]


def test_an_answer_without_calls_is_a_failure(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    using(Asterisk(["No such command"]), monkeypatch)
    with pytest.raises(PhaseFailedError):
        DrainPhase(1, Refusal()).run(job)


def test_calls_are_admitted_once_after_a_failure(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    asterisk = Asterisk(["0 active calls\n"])
    using(asterisk, monkeypatch)
    refusal = Refusal()
    admit_again(job, refusal)
    assert asterisk.settings == []
    DrainPhase(1, refusal).run(job)
    admit_again(job, refusal)
    admit_again(job, refusal)
    assert asterisk.settings == ["yes", "no"]
