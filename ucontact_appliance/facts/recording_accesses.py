"""Who has asked for recordings at the portal: rows of ccdata.recording_access."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from ucontact_appliance.facts.indexed_recordings import sql_text
from ucontact_appliance.facts.json_rows import parse_rows, read_rows
from ucontact_appliance.facts.runner import Runner

_TABLE = "ccdata.recording_access"
_TEXTS = ("user", "source", "path", "outcome", "request")


@dataclass(frozen=True)
class RecordingAccess:
    """A request for a recording. `time` is in UTC; `source` is the client's address.

    `outcome` is granted, refused (the user may not listen) or missing, whose `path` is empty.
    `request` is the method, and the range if only a part was asked for.
    """

    time: datetime
    user: str
    source: str
    path: str
    outcome: str
    request: str


def recording_accesses(runner: Runner, call: str, limit: int) -> tuple[RecordingAccess, ...]:
    """Read the rows of a call (unique or linked id), or all, newest first.

    Raises UnreachableError.
    """
    columns = ", ".join(f"'{name}', {name}" for name in _TEXTS)
    chosen = ""
    if call:
        same = sql_text(call)
        chosen = (
            "where recording in (select id from ccdata.recordings "
            f"where uniqueid = {same} or linkedid = {same}) "
        )
    query = (
        f"select json_object('time', date_format(time, '%Y-%m-%dT%H:%i:%s'), {columns}) "
        f"from {_TABLE} {chosen}order by id desc limit {limit:d}"
    )
    return parse_accesses(read_rows(runner, query, _TABLE))


def parse_accesses(lines: Iterable[str]) -> tuple[RecordingAccess, ...]:
    """Parse one JSON object per line. Raises UnreachableError for anything else."""
    return parse_rows(lines, _TABLE, _parsed)


def _parsed(row: dict[str, object]) -> RecordingAccess:
    time = datetime.fromisoformat(str(row["time"])).replace(tzinfo=timezone.utc)
    return RecordingAccess(time, *(str(row[name]) for name in _TEXTS))
