"""What an install says while it runs; a screen, a log or a test listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from ucontact_appliance.language.catalogue import Translate
from ucontact_appliance.language.messages import Message


@dataclass(frozen=True)
class PhaseStarted:
    """A phase begins; `number` of `total`."""

    id: str
    title: str
    number: int
    total: int


@dataclass(frozen=True)
class PhaseSkipped:
    """A phase that an earlier, interrupted run had already finished."""

    id: str
    title: str
    number: int
    total: int
    because: str


@dataclass(frozen=True)
class PhaseFinished:
    """A phase is through: how many tasks changed something, and its wall time in seconds."""

    id: str
    title: str
    changed: int
    seconds: float


@dataclass(frozen=True)
class PhaseUnchanged:
    """A phase that had nothing to do: its inputs and servers are as after its last good run.

    `seconds` is the wall time that it took to look.
    """

    id: str
    title: str
    seconds: float


@dataclass(frozen=True)
class PhaseForeseen:
    """A dry run has judged a phase: how much it would change; wall time in seconds."""

    id: str
    title: str
    changes: int
    seconds: float


@dataclass(frozen=True)
class PhaseNotJudged:
    """A dry run can't judge that phase, and says why."""

    id: str
    title: str
    because: str


@dataclass(frozen=True)
class PhaseFailed:
    """A phase could not be finished."""

    id: str
    title: str
    seconds: float


@dataclass(frozen=True)
class TaskStarted:
    """Ansible begins a task, or a phase a step of its own; `phase` is the id of that phase."""

    name: str
    phase: str = ""


@dataclass(frozen=True)
class TaskResult:
    """How a task ended on a host: ok, changed, skipped, failed, unreachable or ignored.

    `changes` are what it changed, a line each, where its module tells them apart; `manages` all
    that it looks after, each a kind and a name as in the `state` of data/components.
    """

    host: str
    task: str
    path: str
    status: str
    message: str = ""
    phase: str = ""
    changes: tuple[str, ...] = ()
    manages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Warned:
    """Something that ends nothing, and that a person should know."""

    text: str


@dataclass(frozen=True)
class CallMade:
    """What came of the call that an installation ends with, in one line; also that there was none.

    `text` is safe to show: it holds no secret.
    """

    text: str


Event = (
    PhaseStarted
    | PhaseSkipped
    | PhaseFinished
    | PhaseUnchanged
    | PhaseForeseen
    | PhaseNotJudged
    | PhaseFailed
    | TaskStarted
    | TaskResult
    | Warned
    | CallMade
)
Observer = Callable[[Event], None]


def in_language(observer: Observer, translate: Translate) -> Observer:
    """An observer that hears the texts of each event in the language of `translate`."""

    def heard(event: Event) -> None:
        texts: dict[str, Any] = {
            field.name: translate(text)
            for field in fields(event)
            if isinstance(text := getattr(event, field.name), Message)
        }
        observer(replace(event, **texts))

    return heard


def nobody(event: Event) -> None:
    """An observer that looks away."""
