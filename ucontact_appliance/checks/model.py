"""What a check is, what it may look at, and what it says."""

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

    # Removes what the doctor's own call left, by ways to the telephony and the database host; the
    # last argument says whether there is a row. Handed in by who may act (operate/): checks only
    # ask for it.
    Tidy = Callable[[Runner, Runner, CallTraces, bool], None]


class Verdict(str, Enum):
    """What a check concluded. `skip` is what can't be seen from here, never a pass."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"


class Severity(str, Enum):
    """How much a failure hurts: critical stops calls, low is advice."""

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
        """The stages of such a run."""
        return (Stage.DOCTOR,) if self is Calls.NONE else (Stage.DOCTOR, Stage(self.value))


NOTHING = verbatim("")


@dataclass(frozen=True)
class Judgement:
    """What a check's function returns. `remedy` replaces the check's own when it knows better."""

    verdict: Verdict
    observed: Message
    required: Message = NOTHING
    evidence: str = ""
    remedy: str = ""


def passed(observed: Message, required: Message = NOTHING, evidence: str = "") -> Judgement:
    """The requirement was seen to hold."""
    return Judgement(Verdict.PASS, observed, required, evidence)


def warned(
    observed: Message, required: Message = NOTHING, evidence: str = "", remedy: str = ""
) -> Judgement:
    """It works, but somebody should know."""
    return Judgement(Verdict.WARN, observed, required, evidence, remedy)


def failed(
    observed: Message, required: Message = NOTHING, evidence: str = "", remedy: str = ""
) -> Judgement:
    """The requirement was seen not to hold."""
    return Judgement(Verdict.FAIL, observed, required, evidence, remedy)


def skipped(reason: Message, required: Message = NOTHING, evidence: str = "") -> Judgement:
    """It can't be seen from here, or does not apply; the reason says which."""
    return Judgement(Verdict.SKIP, reason, required, evidence)


@dataclass(frozen=True)
class Subject:
    """Everything a check may look at, for one host of the site.

    `now` (aware, UTC) is the run's time: a stored snapshot is judged by the day it was taken on.
    `stages` are the run's: with `echo` alone its call is the short one.
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
    """A check is data and a function.

    `role` says on which hosts it runs: those that carry the role, or every host when None; hosts
    that carry `without` too are left out.
    `needs` are ids of checks without whose pass this one can't be judged. `timeout` is in seconds;
    so is `takes`, which is what a check takes as a rule: a run begins with the longest chains. One
    that `idles` spends that time waiting for an answer.
    `remedy` is one line for bash on the machine that installs: commands, and a note behind ` # `.
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
        """Whether it takes a real call to judge it."""
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
    """Make a check of the judge that this decorates; `Check` describes the parameters."""

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
class Waived:
    """The exception in site.yml that covers a finding: why, and the last day on which it holds."""

    reason: str
    until: date


@dataclass(frozen=True)
class Finding:
    """One check's verdict on one host: the shape that doctor's JSON and the report carry.

    `blocked_by` is the check that kept this one from being judged, `blocked_on` the host of that.
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
    waived: Waived | None = None
    sources: tuple[Question, ...] = ()
    blocked_on: str | None = None
