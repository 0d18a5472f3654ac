"""Rows of the index of recordings, chosen by an operator, and the files' own hashes."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import RECORDINGS
from ucontact_appliance.facts.json_rows import parse_rows, read_rows
from ucontact_appliance.facts.recordings_index import DECRYPT, hashing, parse_digests
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.language.messages import _

CALL_ID = re.compile(r"\d{1,12}\.\d{1,9}")
_TABLE = "ccdata.recordings"
_SECONDS = 60.0
_HASH_SECONDS = 600.0
_HASHED_AT_ONCE = 20
_PIECE_BYTES = 8 << 20
_TEXTS = ("path", "uniqueid", "linkedid", "src", "dst", "queue", "agent", "codec", "sha256")
_TIMES = ("started", "deleted", "hold_since")
_COLUMNS = (
    *(f"'{name}', {name}" for name in (*_TEXTS, "hold_reason", "hold_by")),
    *(f"'{name}', {name}" for name in ("duration", "bytes", "legal_hold")),
    *(f"'{name}', date_format({name}, '%Y-%m-%dT%H:%i:%s')" for name in _TIMES),
)


@dataclass(frozen=True)
class IndexedRecording:
    """A row of the index. Times are aware datetimes in UTC, `duration` is in seconds.

    `deleted` is None while the file exists, `hold_since` while there is no legal hold.
    """

    path: str
    uniqueid: str
    linkedid: str
    started: datetime
    duration: int
    src: str
    dst: str
    queue: str
    agent: str
    codec: str
    bytes: int
    sha256: str
    legal_hold: bool
    hold_reason: str
    hold_by: str
    hold_since: datetime | None
    deleted: datetime | None


@dataclass(frozen=True)
class RecordingFilter:
    """Which recordings: those of a call (unique or linked id), under hold, of a number, by day.

    `number` is a caller, a called number or an agent; days are in UTC, `until` is included.
    """

    call: str = ""
    held: bool = False
    number: str = ""
    queue: str = ""
    since: date | None = None
    until: date | None = None
    existing: bool = False
    limit: int = 100


def sql_text(value: str) -> str:
    """The text as an SQL literal, whatever is in it."""
    return f"_utf8mb4 x'{value.encode('utf-8').hex()}'"


def condition(wanted: RecordingFilter) -> str:
    """The WHERE condition of a filter."""
    parts = ["1 = 1"]
    if wanted.call:
        call = sql_text(wanted.call)
        parts.append(f"(uniqueid = {call} or linkedid = {call})")
    if wanted.held:
        parts.append("legal_hold <> 0")
    if wanted.number:
        parts.append(f"{sql_text(wanted.number)} in (src, dst, agent)")
    if wanted.queue:
        parts.append(f"queue = {sql_text(wanted.queue)}")
    if wanted.since:
        parts.append(f"started >= '{wanted.since.isoformat()}'")
    if wanted.until:
        parts.append(f"started < '{wanted.until.isoformat()}' + interval 1 day")
    if wanted.existing:
        parts.append("deleted is null")
    return " and ".join(parts)


def indexed_recordings(runner: Runner, wanted: RecordingFilter) -> tuple[IndexedRecording, ...]:
    """Read these rows on the database host, newest first. Raises UnreachableError."""
    query = (
        f"select json_object({', '.join(_COLUMNS)}) from {_TABLE} where {condition(wanted)} "
        f"order by started desc, id desc limit {wanted.limit:d}"
    )
    return parse_recordings(read_rows(runner, query, _TABLE))


def parse_recordings(lines: Iterable[str]) -> tuple[IndexedRecording, ...]:
    """Parse one JSON object per line. Raises UnreachableError for anything else."""
    return parse_rows(lines, _TABLE, _parsed)


def _parsed(row: dict[str, object]) -> IndexedRecording:
    started = _time(row["started"])
    if started is None:
        raise ValueError("a row without its time")
    return IndexedRecording(
        **{name: str(row[name]) for name in (*_TEXTS, "hold_reason", "hold_by")},
        started=started,
        duration=int(str(row["duration"])),
        bytes=int(str(row["bytes"])),
        legal_hold=str(row["legal_hold"]) != "0",
        hold_since=_time(row["hold_since"]),
        deleted=_time(row["deleted"]),
    )


def _time(value: object) -> datetime | None:
    return (
        None if value is None else datetime.fromisoformat(str(value)).replace(tzinfo=timezone.utc)
    )


def inside_spool(path: str) -> bool:
    """Whether a path of the index lies in the spool: rows are data."""
    return bool(path) and not path.startswith(("/", "-")) and ".." not in path.split("/")


def file_hashes(runner: Runner, paths: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of these files on the telephony server; a file that is missing has none."""
    found: dict[str, str] = {}
    names = [path for path in paths if inside_spool(path)]
    for start in range(0, len(names), _HASHED_AT_ONCE):
        done = runner.run(hashing(names[start : start + _HASHED_AT_ONCE]), timeout=_HASH_SECONDS)
        found |= parse_digests(done.stdout)
    return found


def file_pieces(runner: Runner, path: str) -> Iterator[bytes]:
    """The content of a recording on the telephony server, piece by piece.

    Raises UnreachableError when it can't be read.
    """
    if not inside_spool(path):
        raise UnreachableError(_("{path} is no path in the spool", path=path))
    number = 0
    while True:
        name = shlex.quote(path)
        part = f"dd bs={_PIECE_BYTES} skip={number} count=1 iflag=fullblock status=none"
        command = (
            f"cd {RECORDINGS} && if test -f {name}.p7m; then "
            f"{DECRYPT} -in {name}.p7m | {part} | base64 -w 0; "
            f"else {part} if={name} | base64 -w 0 && test -f {name}; fi"
        )
        done = runner.run(["sh", "-c", command], timeout=_SECONDS)
        if done.status:
            raise UnreachableError(_("{path} can't be read", path=path), evidence=done.stderr)
        piece = base64.b64decode(done.stdout)
        if piece:
            yield piece
        if len(piece) < _PIECE_BYTES:
            return
        number += 1
