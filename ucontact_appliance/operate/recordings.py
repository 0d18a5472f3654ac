"""Find, hold, verify and export the recordings of an installed site."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts.call import mysql_words
from ucontact_appliance.facts.indexed_recordings import (
    CALL_ID,
    IndexedRecording,
    RecordingFilter,
    condition,
    file_hashes,
    file_pieces,
    indexed_recordings,
    sql_text,
)
from ucontact_appliance.facts.recording_accesses import RecordingAccess, recording_accesses
from ucontact_appliance.facts.runner import Runner, SshSettings, runner_for
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.operate.reach import reaching
from ucontact_appliance.planning.model import Role

_SECONDS = 60.0
_MOST_PER_CALL = 1000
MOST_REASON, MOST_BY = 255, 80  # bytes, the widths of the columns


@dataclass(frozen=True)
class VerifiedRecording:
    """A row and the SHA-256 of its file now; empty when the file is missing."""

    recording: IndexedRecording
    sha256: str

    @property
    def intact(self) -> bool:
        """Whether the file is what was indexed, or was deleted by the retention."""
        if self.recording.deleted is not None:
            return not self.sha256
        return self.sha256 == self.recording.sha256


@dataclass(frozen=True)
class ExportedRecording:
    """A copy on this machine, with the SHA-256 of its content."""

    recording: IndexedRecording
    file: Path
    sha256: str


def find_recordings(here: Installed, wanted: RecordingFilter) -> tuple[IndexedRecording, ...]:
    """Return the chosen rows, newest first. Raises UnreachableError."""
    with _host_with(here, Role.DATABASE) as runner:
        return indexed_recordings(runner, wanted)


def accesses(here: Installed, call: str, limit: int) -> tuple[RecordingAccess, ...]:
    """Return who asked for recordings of a call, or for any if `call` is empty, newest first.

    Raises UsageError for what is no call id, UnreachableError.
    """
    if call and not CALL_ID.fullmatch(call):
        raise _no_recording(call)
    with _host_with(here, Role.DATABASE) as runner:
        return recording_accesses(runner, call, limit)


def of_call(here: Installed, call: str) -> tuple[IndexedRecording, ...]:
    """Return the rows of a call. Raises UsageError when there are none."""
    found = find_recordings(here, _of_call(call))
    if not found:
        raise _no_recording(call)
    return found


def hold(here: Installed, call: str, reason: str, by: str) -> tuple[IndexedRecording, ...]:
    """Put the existing recordings of a call under legal hold; return them as they are then.

    An earlier hold keeps its reason. Raises UsageError for a call without a recording that exists.
    """
    _fits(reason, MOST_REASON, "--reason")
    _fits(by, MOST_BY, "--by")
    assignment = (
        f"legal_hold = 1, hold_reason = {sql_text(reason)}, hold_by = {sql_text(by)}, "
        "hold_since = utc_timestamp()"
    )
    return _changed(here, call, assignment, held=True)


def release(here: Installed, call: str) -> tuple[IndexedRecording, ...]:
    """Lift the legal hold of a call's recordings; return them as they are then.

    Raises UsageError for a call without a recording that exists.
    """
    assignment = "legal_hold = 0, hold_reason = '', hold_by = '', hold_since = NULL"
    return _changed(here, call, assignment, held=False)


def verify(here: Installed, rows: Sequence[IndexedRecording]) -> tuple[VerifiedRecording, ...]:
    """Hash the files of these rows on their server. Raises UnreachableError."""
    with _host_with(here, Role.TELEPHONY) as runner:
        found: Mapping[str, str] = file_hashes(runner, [row.path for row in rows])
    return tuple(VerifiedRecording(row, found.get(row.path, "")) for row in rows)


def export(here: Installed, call: str, folder: Path) -> Iterator[ExportedRecording]:
    """Copy the existing recordings of a call into a folder, each with a `.sha256` beside it.

    Files are 0600, and none is overwritten. Raises UsageError when there is none or a file is
    there, PhaseFailedError when a copy differs from the index.
    """
    rows = [row for row in of_call(here, call) if row.deleted is None]
    if not rows:
        raise _no_recording(call)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _host_with(here, Role.TELEPHONY) as runner:
        for row in rows:
            yield _exported(runner, row, folder / row.path.rpartition("/")[2])


def _exported(runner: Runner, row: IndexedRecording, file: Path) -> ExportedRecording:
    digest = hashlib.sha256()
    note = file.with_name(f"{file.name}.sha256")
    made: list[Path] = []
    try:
        with _new(file) as copy:
            made.append(file)
            for piece in file_pieces(runner, row.path):
                digest.update(piece)
                os.write(copy, piece)
            os.fsync(copy)
        if digest.hexdigest() != row.sha256:
            raise PhaseFailedError(
                _("{path} differs from the index and was not exported", path=row.path),
                evidence=_(
                    "indexed {indexed}, now {now}", indexed=row.sha256, now=digest.hexdigest()
                ),
                helps="ucontact doctor --only recordings.hashes",
            )
        with _new(note) as copy:
            made.append(note)
            os.write(copy, f"{row.sha256}  {file.name}\n".encode())
    except BaseException:
        for one in made:
            one.unlink(missing_ok=True)
        raise
    return ExportedRecording(row, file, row.sha256)


@contextmanager
def _new(path: Path) -> Iterator[int]:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageError(_("{path} exists already", path=path)) from None
    try:
        yield number
    finally:
        os.close(number)


def _changed(
    here: Installed, call: str, assignment: str, *, held: bool
) -> tuple[IndexedRecording, ...]:
    wanted = _of_call(call, existing=True)
    statement = (
        f"update ccdata.recordings set {assignment} "
        f"where {condition(wanted)} and legal_hold {'=' if held else '<>'} 0"
    )
    with _host_with(here, Role.DATABASE) as runner:
        if not indexed_recordings(runner, wanted):
            raise _no_recording(call)
        done = runner.run(mysql_words(statement), timeout=_SECONDS)
        if done.status:
            raise UnreachableError(
                _("the index of recordings can't be changed"), evidence=done.evidence
            )
        found = indexed_recordings(runner, wanted)
    if not found or any(row.legal_hold is not held for row in found):
        raise PhaseFailedError(
            _("not every recording of the call {call} was changed", call=call),
            helps=f"ucontact recordings list --call {call}",
        )
    return found


def _of_call(call: str, *, existing: bool = False) -> RecordingFilter:
    """The recordings of a call. Raises UsageError for what is no call's id."""
    if not CALL_ID.fullmatch(call):
        raise UsageError(
            _("{call!r} is no id of a call", call=call[:40]),
            evidence=_(
                "an id is SECONDS.NUMBER, such as 1795905244.7: a recording's name ends in it"
            ),
            helps="ucontact recordings list",
        )
    return RecordingFilter(call=call, existing=existing, limit=_MOST_PER_CALL)


def _no_recording(call: str) -> UsageError:
    return UsageError(
        _("the call {call} has no recording in the index", call=call),
        evidence=_("it was not recorded, not finished 5 minutes ago, or the retention deleted it"),
        helps=f"ucontact recordings list --call {call}",
    )


def _fits(text: str, most: int, option: str) -> None:
    if not text.strip() or not text.isprintable() or len(text.encode()) > most:
        raise UsageError(
            _(
                "{option}: give a text of one line, of at most {most} bytes",
                option=option,
                most=most,
            )
        )


@contextmanager
def _host_with(here: Installed, role: Role) -> Iterator[Runner]:
    name = here.plan.carriers(role)[0].name
    host = next(host for host in here.site.hosts if host.name == name)
    with reaching(host), runner_for(host, SshSettings(here.paths.known_hosts)) as runner:
        yield runner
