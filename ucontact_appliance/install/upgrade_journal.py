"""The journal of a site's newest upgrade: how far it is, and the restore point to go back to."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.site.files import write_private
from ucontact_appliance.state import StatePaths


class UpgradeStage(str, Enum):
    """How far the newest upgrade is."""

    PREPARING = "preparing"  # the restore point is not complete; nothing was changed
    CHANGING = "changing"
    PROVED = "proved"  # every check and the call succeeded; site.yml is not written yet
    RETURNING = "returning"
    DONE = "done"
    RETURNED = "returned"

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self in (UpgradeStage.DONE, UpgradeStage.RETURNED)


class UpgradeJournal(BaseModel):
    """The newest upgrade or rollback: its restore point, its stage, and what it was to install.

    `release` is the key that it writes into site.yml, None if it writes none; `title` is the
    release for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    point: str
    stage: UpgradeStage
    started: AwareDatetime
    release: str | None
    title: str

    def at(self, stage: UpgradeStage) -> UpgradeJournal:
        """Return a copy at that stage."""
        return self.model_copy(update={"stage": stage})


def load_upgrade(path: Path) -> UpgradeJournal | None:
    """Return the journal in the file; None if there is none. Raises UnreachableError."""
    try:
        return UpgradeJournal.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the journal of the newest upgrade, {path}, can't be read", path=path),
            evidence=why(error),
            helps=with_note(
                f"mv {path} {path}.damaged",
                _("then, if an upgrade was interrupted: ucontact rollback"),
            ),
        ) from error


def save_upgrade(path: Path, journal: UpgradeJournal) -> UpgradeJournal:
    """Replace the file atomically; return the journal."""
    write_private(path, journal.model_dump_json(indent=1) + "\n")
    return journal


def demand_no_upgrade(paths: StatePaths, site_file: Path) -> None:
    """Raise UsageError while an interrupted upgrade has changed the servers."""
    journal = load_upgrade(paths.upgrade)
    if journal is None or journal.stage.ended or journal.stage is UpgradeStage.PREPARING:
        return
    raise UsageError(
        _("an upgrade to {title} was interrupted", title=journal.title),
        evidence=_(
            "started {started:%Y-%m-%d %H:%M} UTC; restore point {point}",
            started=journal.started,
            point=journal.point,
        ),
        helps=with_note(
            f"ucontact rollback --site {site_file}",
            _("goes back to the restore point; or run the same upgrade again"),
        ),
    )
