"""Control frameworks (PCI DSS, CIS Benchmarks and others), judged by the doctor's findings. Pure.

Each file of data/controls is one framework. A control names the checks that verify it or a part of
it, and what a person must inspect otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.report.attestations import NOBODY, DatedAttestations, with_attestation
from ucontact_appliance.report.verdicts import assessed
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.waivers import Attestation

FOLDER = "controls"
# In the order of the report: first what is visible from outside, then hosts, then organisations.
NAMES = (
    "mozilla-tls",
    "owasp-headers",
    "cis-nginx",
    "cis-mysql",
    "cis-ubuntu",
    "pci-dss-4",
    "iso-27001",
)

_Text = Annotated[str, Field(min_length=1)]


class ControlsError(ValueError):
    """An invalid file of data/controls; the message names the file, the key and the reason."""


class _ControlsRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ControlStatus(_ControlsRow):
    """The status of a control that its publisher, or everybody it addressed, has abandoned."""

    state: Literal["retired"]
    since: date
    why: _Text


class Control(_ControlsRow):
    """A framework's control, as far as it concerns this product, in our own words.

    `id` is the publisher's number or name. `checks` are ids of the registry, each of which
    verifies the control or a part of it. `look` says what a person must inspect; it is required
    without checks, and used beside checks that verify only a part.
    """

    id: _Text
    title: _Text
    required: _Text
    checks: tuple[_Text, ...] = ()
    look: str = ""
    status: ControlStatus | None = None

    @model_validator(mode="after")
    def _is_shown_somehow(self) -> Control:
        if not self.checks and not self.look.strip():
            raise ValueError("a control without checks needs 'look': what a person looks at")
        twice = _repeated(self.checks)
        if twice:
            raise ValueError(f"checks named twice: {', '.join(twice)}")
        return self


class Framework(_ControlsRow):
    """A published set of controls, limited to those that concern this product.

    `version` and `date` are those of the text used; `date` is None if the publisher gives none.
    `note` says what the reader must know about the source.
    """

    id: _Text
    title: _Text
    version: _Text
    publisher: _Text
    date: date | None
    url: Annotated[str, Field(pattern=r"^https://")]
    note: str = ""
    controls: Annotated[tuple[Control, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_each_control_once(self) -> Framework:
        twice = _repeated(control.id for control in self.controls)
        if twice:
            raise ValueError(f"controls listed twice: {', '.join(twice)}")
        return self


@dataclass(frozen=True)
class ControlAssessment:
    """A control with its findings; `verdict` has the values of `Assessment.verdict`."""

    control: Control
    verdict: str
    findings: tuple[Finding, ...]
    attestation: Attestation | None = None


@dataclass(frozen=True)
class AssessedFramework:
    """A framework with all its controls, in its own order."""

    framework: Framework
    assessments: tuple[ControlAssessment, ...]


@cache
def frameworks() -> tuple[Framework, ...]:
    """Return all frameworks in the report's order. Raises ControlsError for an invalid file."""
    return tuple(load_framework(name) for name in NAMES)


@cache
def control_ids() -> frozenset[str]:
    """Return the ids that a person can attest: requirements (R14), and FRAMEWORK/CONTROL."""
    own = {row["id"] for row in load_data("requirements")["requirements"]}
    others = {f"{one.id}/{control.id}" for one in frameworks() for control in one.controls}
    return frozenset(own | others)


def load_framework(name: str) -> Framework:
    """Return the framework of data/controls/NAME.yml. Raises ControlsError for an invalid file."""
    file = f"data/{FOLDER}/{name}.yml"
    try:
        rows = load_data(f"{FOLDER}/{name}")
    except FileNotFoundError as error:
        raise ControlsError(f"{file}: there is no such file") from error
    except yaml.YAMLError as error:
        raise ControlsError(f"{file}: no YAML: {error}") from error
    framework = parse_framework(file, rows)
    if framework.id != name:
        raise ControlsError(f"{file}: id: {framework.id!r} is not the file's name")
    return framework


def parse_framework(file: str, rows: Any) -> Framework:
    """Return the framework of the parsed YAML. Raises ControlsError, which names `file`."""
    try:
        return Framework.model_validate(rows)
    except ValidationError as error:
        first = error.errors()[0]
        key = _key(first["loc"], rows)
        why = first["msg"].removeprefix("Value error, ")
        raise ControlsError(f"{file}: {f'{key}: ' if key else ''}{why}") from error


def assess_control(
    control: Control, findings: Sequence[Finding], word: Attestation | None = None
) -> ControlAssessment:
    """Return the control with the findings of its checks and the verdict over them.

    A check without a finding, such as a call's check in a run without calls, was not seen: at best
    the control is met in part; the verdict is 'skip' if no check has a finding.
    """
    mine = tuple(finding for finding in findings if finding.id in control.checks)
    unseen = set(control.checks) - {finding.id for finding in mine}
    if control.checks and not mine:
        return ControlAssessment(control, Verdict.SKIP.value, mine, word)
    verdict = assessed(mine, bool(unseen) or (bool(control.look) and word is None))
    return ControlAssessment(control, with_attestation(verdict, word), mine, word)


def assess_frameworks(
    findings: Sequence[Finding], vouched: DatedAttestations = NOBODY
) -> tuple[AssessedFramework, ...]:
    """Return every framework, each of its controls judged by the findings of one run."""
    return tuple(
        AssessedFramework(
            framework,
            tuple(
                assess_control(one, findings, vouched.word_for(f"{framework.id}/{one.id}"))
                for one in framework.controls
            ),
        )
        for framework in frameworks()
    )


def _key(location: Sequence[int | str], rows: Any) -> str:
    """Return the key in the file; controls are named by id, as nobody counts rows."""
    words: list[str] = []
    here = rows
    for step in location:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        name = here.get("id") if isinstance(step, int) and isinstance(here, Mapping) else None
        words.append(str(step if name is None else name))
    return ".".join(words)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
