"""What this machine recorded of the drills of a backup, and when the next one is due."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.language.messages import _

_NEXT = re.compile(r"Next elapse: \S+ ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) UTC")


class DrillRecord(BaseModel):
    """What came of a drill: when it ended, of which backup, and what was wrong, if it failed.

    `report` is the folder of its signed result in the chain of reports.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    good: bool
    backup: AwareDatetime
    seconds: int = Field(ge=0)
    report: str
    trouble: str = ""


class DrillHistory(BaseModel):
    """The newest drills, oldest first, and the last good one, however old."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    drills: tuple[DrillRecord, ...] = ()
    last_good: DrillRecord | None = None

    def with_drill(self, record: DrillRecord, most: int = 50) -> DrillHistory:
        """Return the history with that drill last."""
        good = record if record.good else self.last_good
        return DrillHistory(drills=(*self.drills, record)[-most:], last_good=good)


def drill_history(path: str) -> DrillHistory:
    """What that file records; nothing without it. Raises UnreachableError."""
    try:
        return DrillHistory.model_validate_json(Path(path).read_bytes())
    except FileNotFoundError:
        return DrillHistory()
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the record of the drills, {path}, can't be read", path=path), evidence=why(error)
        ) from error


def next_elapse(calendar: str, after: datetime) -> datetime:
    """When that calendar event of systemd comes next. Raises UnreachableError."""
    base = f"{after.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    words = ["env", "TZ=UTC", "LC_ALL=C", "systemd-analyze", "calendar"]
    done = LocalRunner().run([*words, f"--base-time={base}", "--", calendar])
    found = _NEXT.search(done.stdout)
    if done.status or found is None:
        raise UnreachableError(
            _("systemd does not know when {calendar!r} comes next", calendar=calendar),
            evidence=done.evidence,
            helps=f"systemd-analyze calendar '{calendar}'",
        )
    return datetime.fromisoformat(f"{found[1]}+00:00")
