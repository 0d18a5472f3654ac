"""The journal of an installation: inputs and phases, written atomically around each phase."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.site.files import write_private

SCHEMA = 1


class Progress(str, Enum):
    """Progress of a phase or of the whole installation."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


class PhaseEntry(BaseModel):
    """One phase of the newest run; `at` is UTC (ISO 8601), `seconds` its wall time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    progress: Progress
    at: str
    changed: int = 0
    seconds: float = 0.0
    error: str = ""


class Journal(BaseModel):
    """The newest run of one site. `inputs` are the inputs of that run, without secrets.

    `unproven`: since the last successful installation, something was or may have been changed that
    only the full set of calls of the deep stage can verify.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA
    inputs: dict[str, Any] = Field(default_factory=dict)
    progress: Progress = Progress.DONE
    phases: tuple[PhaseEntry, ...] = ()
    unproven: bool = False

    @property
    def appliance(self) -> str:
        """The version of the appliance that made the newest run; empty before the first one."""
        return str(self.inputs.get("appliance", ""))

    def finished(self, phase: str) -> bool:
        """Whether that phase of the newest run has finished."""
        return any(e.id == phase and e.progress is Progress.DONE for e in self.phases)

    @property
    def interrupted(self) -> bool:
        """Whether the newest run stopped before its end, by failure or by a kill."""
        return self.progress is not Progress.DONE

    def begun(self, phase: str) -> bool:
        """Whether the newest run started that phase."""
        return any(e.id == phase for e in self.phases)

    def begun_beyond(self, phase: str) -> bool:
        """Whether the newest run started any phase other than that one."""
        return any(e.id != phase for e in self.phases)

    def with_entry(self, entry: PhaseEntry) -> Journal:
        """Return a copy with that phase's entry added or replaced."""
        others = tuple(e for e in self.phases if e.id != entry.id)
        return self.model_copy(update={"phases": (*others, entry)})

    def without(self, phases: Collection[str]) -> Journal:
        """Return a copy without the entries of those phases."""
        return self.model_copy(
            update={"phases": tuple(e for e in self.phases if e.id not in phases)}
        )

    def with_progress(self, progress: Progress) -> Journal:
        """Return a copy with the run's progress set; DONE clears `unproven`."""
        unproven = self.unproven and progress is not Progress.DONE
        return self.model_copy(update={"progress": progress, "unproven": unproven})

    def with_changes(self) -> Journal:
        """Return a copy for a run with a change that a short call does not verify."""
        return self.model_copy(update={"unproven": True})


def entry(
    phase: str, progress: Progress, *, changed: int = 0, seconds: float = 0.0, error: str = ""
) -> PhaseEntry:
    """Return an entry with the current time (UTC)."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return PhaseEntry(
        id=phase,
        progress=progress,
        at=now,
        changed=changed,
        seconds=round(seconds, 1),
        error=error,
    )


def load_journal(path: Path) -> Journal:
    """Return the journal in the file, or an empty one if there is no file yet."""
    try:
        return Journal.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Journal()
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise UnreachableError(
            _("the install journal {path} can't be read", path=path),
            evidence=why(error),
            helps=with_note(
                f"mv {path} {path}.damaged",
                _("the next installation then starts from its first phase"),
            ),
        ) from error


def save_journal(path: Path, journal: Journal) -> None:
    """Replace the journal file atomically."""
    write_private(path, json.dumps(journal.model_dump(mode="json"), indent=2) + "\n")


def inputs_diff(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return a unified diff of two runs' inputs; empty when they are equal."""
    return "\n".join(
        difflib.unified_diff(
            yaml.safe_dump(old, sort_keys=True).splitlines(),
            yaml.safe_dump(new, sort_keys=True).splitlines(),
            "interrupted install",
            "this install",
            n=1,
            lineterm="",
        )
    )
