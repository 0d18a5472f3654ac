"""Incoming calls of `site.yml`: numbers, opening hours, announcements, queues and their agents."""

from __future__ import annotations

import re
from datetime import date
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import (
    Extension,
    FilePath,
    Name,
    SiteModel,
    plain_path,
    quoted_digits,
    refuse_repeated,
)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_OPEN = re.compile(
    r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? "
    r"(?P<from>(?:[01][0-9]|2[0-3]):[0-5][0-9])-(?P<to>(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)"
)


def _open(value: str) -> str:
    """A line such as `mon-fri 09:00-18:00`; the end is not after midnight."""
    found = _OPEN.fullmatch(value)
    days = (found["first"], found["last"] or found["first"]) if found else ()
    if not found or any(day not in _DAYS for day in days):
        raise ValueError(
            _("{value!r}: write days and hours such as 'mon-fri 09:00-18:00'", value=value)
        )
    if found["from"] >= found["to"]:
        raise ValueError(_("{value!r}: ends before it begins; write one line per day", value=value))
    return value


def _closed(value: str) -> str:
    """A day `2026-12-25`, or `12-25` of every year."""
    day = value if value.count("-") == 2 else f"2024-{value}"  # a leap year, for 02-29
    try:
        if not re.fullmatch(r"(?:[0-9]{4}-)?[0-9]{2}-[0-9]{2}", value):
            raise ValueError
        date.fromisoformat(day)
    except ValueError:
        raise ValueError(
            _("{value!r} is no day; write 2026-12-25, or 12-25 for every year", value=value)
        ) from None
    return value


def _day(value: object) -> object:
    """YAML reads an unquoted 2026-12-25 as a date."""
    return value.isoformat() if isinstance(value, date) else value


class Hours(SiteModel):
    """Opening hours, in the site's time zone."""

    name: Name = Field(description="short name")
    open: tuple[Annotated[str, AfterValidator(_open)], ...] = Field(
        min_length=1,
        description="days and hours, such as ['mon-fri 09:00-18:00', 'sat 09:00-13:00']",
    )
    closed_on: tuple[Annotated[str, BeforeValidator(_day), AfterValidator(_closed)], ...] = Field(
        (), description="holidays: '2026-12-25', or '12-25' for every year"
    )


class Announcement(SiteModel):
    """A recording that callers hear."""

    name: Name = Field(description="short name")
    file: Annotated[FilePath, AfterValidator(plain_path)] = Field(
        description="WAV file, 8000 Hz, 16 bits, mono (*)"
    )


class Destination(SiteModel):
    """Where a call goes: exactly one of these.

    None of them leads to an outside line: a gateway gets the called number, which site.yml lists.
    """

    extension: Extension | None = Field(None, description="an extension")
    queue: Name | None = Field(None, description="a queue, by its name")
    announcement: Name | None = Field(None, description="an announcement; the call ends behind it")
    gateway: Name | None = Field(
        None,
        description="a trunk with model dinstar, khomp or gateway, which gets the called number: "
        "for a fax machine or telephone at the gateway",
    )

    @model_validator(mode="after")
    def _is_one(self) -> Destination:
        if len(self.model_fields_set & set(Destination.model_fields)) != 1:
            raise ValueError(_("write one of 'extension', 'queue', 'announcement' and 'gateway'"))
        return self

    @property
    def kind(self) -> str:
        """`extension`, `queue`, `announcement` or `gateway`."""
        return next(iter(self.model_fields_set))

    @property
    def target(self) -> str:
        """The number or name."""
        return str(getattr(self, self.kind))


class InboundNumber(SiteModel):
    """A number that a provider delivers, and where its calls go."""

    number: Annotated[
        str, BeforeValidator(quoted_digits), Field(pattern=r"^\+?[0-9]{2,15}X{0,6}$")
    ] = Field(
        description="as the provider sends it, or with 'country' as '+59824001234'; an X at the "
        "end stands for any digit: '+5982400XXXX'"
    )
    to: Destination = Field(description="where calls go")
    hours: Name | None = Field(None, description="opening hours. Default: always open")
    closed: Destination | None = Field(None, description="where calls go outside these hours")
    priority: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="calls with a higher number leave a queue first"
    )

    @model_validator(mode="after")
    def _hours_go_with_closed(self) -> InboundNumber:
        if (self.hours is None) != (self.closed is None):
            raise ValueError(_("'hours' and 'closed' go together"))
        return self


class Strategy(str, Enum):
    """How a queue chooses the agent, by Asterisk's names."""

    RINGALL = "ringall"
    LEAST_RECENT = "leastrecent"
    FEWEST_CALLS = "fewestcalls"
    RANDOM = "random"
    ROUND_ROBIN = "rrmemory"
    LINEAR = "linear"
    WEIGHTED_RANDOM = "wrandom"


class Queue(SiteModel):
    """Callers who wait for an agent."""

    name: Name = Field(description="short name")
    number: Extension = Field(description="internal number of the queue")
    agents: tuple[Extension, ...] = Field(
        min_length=1, description="extensions that may log in to this queue"
    )
    strategy: Strategy = Field(
        Strategy.ROUND_ROBIN, description="how the agent is chosen, by Asterisk's names"
    )
    ring_seconds: Annotated[int, Field(ge=5, le=300)] = Field(
        20, description="how long one agent's phone rings"
    )
    wrap_up_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        5, description="pause of an agent behind each call"
    )
    max_wait_seconds: Annotated[int, Field(ge=10, le=7200)] = Field(
        600, description="how long a caller waits before the overflow"
    )
    max_waiting: Annotated[int, Field(ge=0, le=10000)] = Field(
        0, description="callers who may wait at once; 0: any number"
    )
    without_agents: bool = Field(
        False, description="let callers wait although no agent is logged in. Default: overflow"
    )
    overflow: Destination | None = Field(
        None, description="where a call goes that no agent took. Default: it ends"
    )
    weight: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="an agent of several queues gets the call of the one with the highest number"
    )
    announce_position_seconds: Annotated[int, Field(ge=0, le=600)] = Field(
        0, description="callers hear their position this often; 0: never"
    )
    announcement: Name | None = Field(None, description="callers hear this announcement regularly")
    announcement_seconds: Annotated[int, Field(ge=10, le=600)] = Field(
        60, description="how often they hear it"
    )

    @field_validator("overflow")
    @classmethod
    def _overflow_has_a_number(cls, overflow: Destination | None) -> Destination | None:
        """A gateway gets the called number, and a call to the queue's own number has none."""
        if overflow is not None and overflow.kind == "gateway":
            raise ValueError(_("a queue can't overflow to a gateway"))
        return overflow

    @field_validator("agents")
    @classmethod
    def _agents_are_unique(cls, agents: tuple[str, ...]) -> tuple[str, ...]:
        refuse_repeated(agents)
        return agents


class PauseReason(SiteModel):
    """Why an agent takes no calls for a while."""

    code: Annotated[str, BeforeValidator(quoted_digits), Field(pattern=r"^[0-9]{1,2}$")] = Field(
        description="digits that an agent dials behind the pause code"
    )
    name: Name = Field(description="what statistics call it, such as lunch")
