"""Entries of `site.yml` about checks: waivers of them, and attestations by a person."""

from __future__ import annotations

import difflib
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import Name, SiteModel

WAIVERS_CHECK = "site.waivers"  # checks the waivers, and can't be waived itself
KNOWN_CHECKS = "known_checks"  # key in the validation context: the ids that may be waived
KNOWN_CONTROLS = "known_controls"  # key in the validation context: what a person may attest


def _written_date(value: object) -> object:
    """Reject a number: 20270131 would be read as seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError(_("write the date as 2027-01-31 (it is read as {value})", value=value))
    return value


class Waiver(SiteModel):
    """A waiver: a check of the doctor that may fail, for a reason and for a limited time."""

    check: str = Field(description="the check's id, as `ucontact doctor` shows it")
    host: Name | None = Field(None, description="only on this server; on all when left out")
    reason: Annotated[str, Field(min_length=3)] = Field(
        description="why it may fail; the report shows it to the auditor"
    )
    until: Annotated[date, BeforeValidator(_written_date)] = Field(
        description="the last day on which it holds, such as 2027-01-31; from then on it fails"
    )

    @field_validator("check")
    @classmethod
    def _names_a_check(cls, name: str, info: ValidationInfo) -> str:
        if name == WAIVERS_CHECK:
            raise ValueError(_("{name!r} checks the waivers, and can't be waived", name=name))
        known = (info.context or {}).get(KNOWN_CHECKS)
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            if near:
                raise ValueError(
                    _("there is no check {name!r}; did you mean {near!r}?", name=name, near=near[0])
                )
            raise ValueError(
                _("there is no check {name!r}; `ucontact doctor` shows the ids", name=name)
            )
        return name


class Attestation(SiteModel):
    """A person's attestation of what no check can see: with name, date and expiry."""

    control: str = Field(
        description="a requirement such as R14, or a framework's control such as iso-27001/8.10"
    )
    statement: Annotated[str, Field(min_length=10)] = Field(
        description="what was looked at, and what was seen; the report quotes it"
    )
    by: Annotated[str, Field(min_length=3)] = Field(description="who vouches: name and office")
    seen: Annotated[date, BeforeValidator(_written_date)] = Field(
        description="the day on which it was looked at, such as 2026-10-05"
    )
    until: Annotated[date, BeforeValidator(_written_date)] = Field(
        description="the last day on which it counts; from then on somebody has to look again"
    )

    @field_validator("control")
    @classmethod
    def _names_a_control(cls, name: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(KNOWN_CONTROLS)
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            if near:
                raise ValueError(
                    _(
                        "there is no control {name!r}; did you mean {near!r}?",
                        name=name,
                        near=near[0],
                    )
                )
            raise ValueError(
                _("there is no control {name!r}; the report shows their numbers", name=name)
            )
        return name

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Attestation:
        if self.until < self.seen:
            raise ValueError(
                _(
                    "'until' ({until}) is before 'seen' ({seen})",
                    until=self.until,
                    seen=self.seen,
                )
            )
        return self
