"""The doctor's runs, saved as files on the installing machine, with a retention rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance.checks.model import Calls, Finding
from ucontact_appliance.findings.changes import Changes, EarlierFinding, compare, state_of
from ucontact_appliance.findings.document import DoctorDocument, to_document
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Site

_NAME = "%Y%m%dT%H%M%S%fZ"
# Ids of the checks that a run judges, per kind of calls; ids not in `_KNOWN` count for all kinds.
_JUDGED = {
    calls: frozenset(check.id for check in CHECKS if check.stages & set(calls.stages))
    for calls in Calls
}
_KNOWN = frozenset(check.id for check in CHECKS)

By = Literal["hand", "night"]


class SavedRun(BaseModel):
    """One saved run. `deep`: with all calls; `by`: a person, or the timer, which notified."""

    model_config = ConfigDict(frozen=True)

    deep: bool
    by: By
    document: DoctorDocument


@dataclass(frozen=True)
class RunRetention:
    """The maximum number of saved runs, and their maximum age in days."""

    runs: int
    days: int


def retention() -> RunRetention:
    """Return the retention rule of data/doctor.yml."""
    return RunRetention(**load_data("doctor")["history"])


def keep_run(
    folder: Path,
    site: Site,
    time: datetime,
    findings: Sequence[Finding],
    *,
    calls: Calls,
    by: By = "hand",
    rule: RunRetention | None = None,
) -> Path:
    """Save the run of that (aware) time, 0600 in a 0700 folder, then apply the retention rule.

    Raises UnreachableError when it can't be written.
    """
    document = DoctorDocument.model_validate(to_document(site, time, findings))
    path = folder / f"{time.astimezone(timezone.utc):{_NAME}}-{by}.json"
    run = SavedRun(deep=calls is Calls.DEEP, by=by, document=document)
    write_private(path, run.model_dump_json(indent=1) + "\n")
    # Per kind: many manual runs on one day must not displace the nightly runs.
    for old in _forgotten(_files(folder, by), time, rule or retention()):
        old.unlink(missing_ok=True)
    return path


def kept_runs(folder: Path) -> tuple[SavedRun, ...]:
    """Return the saved runs, newest first; damaged and other files are ignored."""
    runs = (_load(path) for path in reversed(_files(folder)))
    return tuple(run for run in runs if run is not None)


def changes_since(
    runs: Iterable[SavedRun], findings: Sequence[Finding], *, calls: Calls, by: By | None = None
) -> Changes:
    """Return the changes since the newest comparable run of `runs` (newest first).

    A deep run is compared with a deep one; checks that need calls which this run does not place
    are left out. `by` restricts `runs`: the timer compares with its own last run, and so also
    reports changes that a person saw in a manual run.
    """
    deep = calls is Calls.DEEP
    earlier = next(
        (run for run in runs if (run.deep or not deep) and by in (None, run.by)),
        None,
    )
    if earlier is None:
        return compare((), findings)
    seen = [
        EarlierFinding(row.id, row.host, row.title, state_of(row))
        for row in earlier.document.findings
        if row.id in _JUDGED[calls] or row.id not in _KNOWN
    ]
    return compare(seen, findings, earlier.document.time)


def _files(folder: Path, by: By | Literal["*"] = "*") -> list[Path]:
    """Return the runs' files, oldest first: their names begin with their times."""
    return sorted(path for path in folder.glob(f"*-{by}.json") if _time(path) is not None)


def _time(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.stem.partition("-")[0], _NAME).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _forgotten(files: Sequence[Path], now: datetime, rule: RunRetention) -> list[Path]:
    beyond = files[: -rule.runs] if rule.runs else files
    oldest = now - timedelta(days=rule.days)
    return [path for path in files if path in beyond or (_time(path) or now) < oldest]


def _load(path: Path) -> SavedRun | None:
    try:
        return SavedRun.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
