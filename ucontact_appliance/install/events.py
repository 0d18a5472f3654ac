"""Events of a running installation, for an observer such as a screen, a log or a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from ucontact_appliance.language.catalogue import Translate
from ucontact_appliance.language.messages import Message


@dataclass(frozen=True)
class PhaseStarted:
    """A phase has started; it is phase `number` of `total`."""

    id: str
    title: str
    number: int
    total: int


@dataclass(frozen=True)
class PhaseSkipped:
    """A phase was skipped because an earlier, interrupted run had finished it."""

    id: str
    title: str
    number: int
    total: int
    because: str


@dataclass(frozen=True)
class PhaseFinished:
    """A phase has finished, with the number of changes and its wall time in seconds."""

    id: str
    title: str
    changed: int
    seconds: float


@dataclass(frozen=True)
class PhaseUnchanged:
    """A phase had nothing to do: inputs and servers are unchanged since its last successful run.

    `seconds` is the wall time of that comparison.
    """

    id: str
    title: str
    seconds: float


@dataclass(frozen=True)
class PhaseForeseen:
    """A dry run has judged a phase: the number of changes to expect; wall time in seconds."""

    id: str
    title: str
    changes: int
    seconds: float


@dataclass(frozen=True)
class PhaseNotJudged:
    """A dry run can't judge a phase, for the reason `because`."""

    id: str
    title: str
    because: str


@dataclass(frozen=True)
class PhaseFailed:
    """A phase has failed after `seconds` of wall time."""

    id: str
    title: str
    seconds: float


@dataclass(frozen=True)
class TaskStarted:
    """A task of Ansible, or a step of a phase, has started; `phase` is the phase's id."""

    name: str
    phase: str = ""


@dataclass(frozen=True)
class TaskResult:
    """Result of a task on a host: ok, changed, skipped, failed, unreachable or ignored.

    `changes` has one line per change, if the module lists them. `manages` lists all that the task
    manages, each as a kind and a name like the `state` of data/components.
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
    """A warning; the installation continues."""

    text: str


@dataclass(frozen=True)
class CallMade:
    """One line with the result of the installation's final test call, or that none was made.

    `text` contains no secret.
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
    """Return an observer that translates each event's texts and passes it to `observer`."""

    def heard(event: Event) -> None:
        texts: dict[str, Any] = {
            field.name: translate(text)
            for field in fields(event)
            if isinstance(text := getattr(event, field.name), Message)
        }
        observer(replace(event, **texts))

    return heard


def nobody(event: Event) -> None:
    """Ignore the event: an observer for callers that need none."""
