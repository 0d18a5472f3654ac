"""Who has asked for recordings at the portal: rows of ccdata.recording_access."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import mysql_words
from ucontact_appliance.facts.indexed_recordings import sql_text
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.language.messages import _

_TABLE = "ccdata.recording_access"
_SECONDS = 60.0
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
    done = runner.run([*mysql_words(query), "--skip-column-names", "--raw"], timeout=_SECONDS)
    if done.status:
        raise UnreachableError(_("{table} can't be read", table=_TABLE), evidence=done.evidence)
    return parse_accesses(done.stdout.splitlines())


def parse_accesses(lines: Iterable[str]) -> tuple[RecordingAccess, ...]:
    """Parse one JSON object per line. Raises UnreachableError for anything else."""
    try:
        return tuple(_parsed(json.loads(line)) for line in lines)
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError(
            _("{table} can't be read", table=_TABLE), evidence=str(error)
        ) from error


def _parsed(row: dict[str, object]) -> RecordingAccess:
    time = datetime.fromisoformat(str(row["time"])).replace(tzinfo=timezone.utc)
    return RecordingAccess(time, *(str(row[name]) for name in _TEXTS))
