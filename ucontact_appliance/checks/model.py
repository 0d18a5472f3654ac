"""The model of checks: a check, its input (Subject), and its results (Judgement, Finding)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING

from ucontact_appliance.language.messages import Message, verbatim
from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

if TYPE_CHECKING:
    from ucontact_appliance.facts.call import CallTraces
    from ucontact_appliance.facts.runner import Runner
    from ucontact_appliance.facts.source import FactSource, Question

    # Removes the traces of the doctor's own call. Arguments: runners of the telephony and the
    # database host, the traces, and whether there is a call record. operate/ passes it in, because
    # checks do not act themselves.
    Tidy = Callable[[Runner, Runner, CallTraces, bool], None]


class Verdict(str, Enum):
    """The conclusion of a check. `skip`: not visible from here, or not applicable; never a pass."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"


class Severity(str, Enum):
    """The impact of a failure: critical stops calls, low is advice."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Stage(str, Enum):
    """When a check runs: `echo` with one short call to the echo test, `deep` with all calls."""

    PREFLIGHT = "preflight"
    DOCTOR = "doctor"
    ECHO = "echo"
    DEEP = "deep"


class Calls(str, Enum):
    """The real calls that a run of the doctor's checks places."""

    NONE = "none"
    ECHO = "echo"  # one short call
    DEEP = "deep"  # all of them

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of a run with these calls."""
        return (Stage.DOCTOR,) if self is Calls.NONE else (Stage.DOCTOR, Stage(self.value))


NOTHING = verbatim("")


@dataclass(frozen=True)
class Judgement:
    """The result of a check's function. A `remedy` here replaces the check's own."""

    verdict: Verdict
    observed: Message
    required: Message = NOTHING
    evidence: str = ""
    remedy: str = ""


def passed(observed: Message, required: Message = NOTHING, evidence: str = "") -> Judgement:
    """Return a pass: the requirement was seen to hold."""
    return Judgement(Verdict.PASS, observed, required, evidence)


def warned(
    observed: Message, required: Message = NOTHING, evidence: str = "", remedy: str = ""
) -> Judgement:
    """Return a warning: it works, but the operator should know."""
    return Judgement(Verdict.WARN, observed, required, evidence, remedy)


def failed(
    observed: Message, required: Message = NOTHING, evidence: str = "", remedy: str = ""
) -> Judgement:
    """Return a failure: the requirement was seen not to hold."""
    return Judgement(Verdict.FAIL, observed, required, evidence, remedy)


def skipped(reason: Message, required: Message = NOTHING, evidence: str = "") -> Judgement:
    """Return a skip: not visible from here, or not applicable; `reason` says which."""
    return Judgement(Verdict.SKIP, reason, required, evidence)


@dataclass(frozen=True)
class Subject:
    """The input of a check: everything that it may read, for one host of the site.

    `now` (aware, UTC) is the time of the run: a stored snapshot is judged as of the day it was
    taken. `stages` are those of the run: with `echo` alone, its call is the short one.
    """

    site: Site
    plan: Plan
    host: Host
    secrets: Secrets
    state: StatePaths
    facts: FactSource
    tidy: Tidy | None = None
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    stages: frozenset[Stage] = frozenset()


@dataclass(frozen=True)
class Check:
    """A check: its description as data, and the function that judges it.

    `role`: it runs on the hosts with this role, or on every host if None; hosts that also have the
    role `without` are left out.
    `needs` are the ids of checks that must pass before this one can be judged. `timeout` and
    `takes`, the usual duration, are in seconds: a run starts with the longest chains. A check that
    `idles` spends that time waiting for an answer.
    `remedy` is one line for bash on the installing machine: commands, then a note after ` # `.
    Its placeholders are `{ssh}` (runs what follows on the host as root), `{install}` (`ucontact
    install --site F --yes`), `{site}` (F) and `{address}` (the host's).
    """

    id: str
    title: Message
    severity: Severity
    requirements: tuple[str, ...]
    remedy: str
    judge: Callable[[Subject], Judgement]
    role: Role | None = None
    without: Role | None = None
    stages: frozenset[Stage] = frozenset({Stage.DOCTOR})
    needs: tuple[str, ...] = ()
    timeout: float = 8.0
    takes: float = 0.1
    idles: bool = False

    @property
    def listens(self) -> bool:
        """Whether judging it needs a real call."""
        return self.stages <= {Stage.ECHO, Stage.DEEP}


def check(
    *,
    id: str,
    title: Message,
    severity: Severity,
    requirements: tuple[str, ...],
    remedy: str,
    role: Role | None = None,
    without: Role | None = None,
    stages: frozenset[Stage] = frozenset({Stage.DOCTOR}),
    needs: tuple[str, ...] = (),
    timeout: float = 8.0,
    takes: float = 0.1,
    idles: bool = False,
) -> Callable[[Callable[[Subject], Judgement]], Check]:
    """Return a decorator that makes a Check of a judge; `Check` describes the parameters."""

    def made(judge: Callable[[Subject], Judgement]) -> Check:
        return Check(
            id=id,
            title=title,
            severity=severity,
            requirements=requirements,
            remedy=remedy,
            judge=judge,
            role=role,
            without=without,
            stages=stages,
            needs=needs,
            timeout=timeout,
            takes=takes,
            idles=idles,
        )

    return made


def checks_of(module: Mapping[str, object]) -> tuple[Check, ...]:
    """Return the checks among a module's globals, single ones and tuples of them, in its order."""
    found: list[Check] = []
    for value in module.values():
        if isinstance(value, Check):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(one for one in value if isinstance(one, Check))
    return tuple(found)


@dataclass(frozen=True)
class AppliedWaiver:
    """The waiver in site.yml that covers a finding: its reason, and the last day it is valid."""

    reason: str
    until: date


@dataclass(frozen=True)
class Finding:
    """A check's verdict on one host, as in the doctor's JSON and the report.

    `blocked_by` is the check that kept this one from being judged, `blocked_on` that check's host.
    `sources` are the questions that its judge asked of the host (`facts.source.Question`).
    """

    id: str
    title: str
    verdict: Verdict
    severity: Severity
    requirements: tuple[str, ...]
    host: str
    observed: str
    required: str
    evidence: str
    remedy: str
    blocked_by: str | None = None
    seconds: float = 0.0
    waived: AppliedWaiver | None = None
    sources: tuple[Question, ...] = ()
    blocked_on: str | None = None
