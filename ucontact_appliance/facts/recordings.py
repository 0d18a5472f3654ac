"""The spool that Asterisk writes recordings into, and recordings reported as lost in its log."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import RECORDINGS, mysql_words
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

SPOOL = "/var/spool/asterisk"
LOG = "/var/log/asterisk/messages.log"
WALK_SECONDS = 60
_GRACE_SECONDS = 10.0
_SHOWN = 5
_LOG_OCTETS = 2_000_000
_TIMED_OUT = 124  # timeout(1)


@dataclass(frozen=True)
class SpoolAccess:
    """What Asterisk's account can't access in the spool: folders to write in, files to read.

    `shown` are the first few as `TYPE OWNER:GROUP MODE PATH`. `complete` is False if the search
    was stopped before its end.
    """

    folders: int
    files: int
    shown: tuple[str, ...]
    complete: bool
    evidence: str


# The kernel itself is asked (access(2)) as Asterisk's account, so groups and ACLs count as they do
# for Asterisk. Nothing is opened; entries that vanish meanwhile do not matter. A newline in a name
# would look like a second entry. The number of printed entries is bounded.
_REFUSED = (
    r"\( -type d ! \( -readable -writable -executable \) -o -type f ! -readable \) "
    r"-printf '%y %u:%g %m %p\0'"
)
_COUNTED = (
    'awk \'$1 == "=" { status = $2; next } $1 == "d" { d++ } $1 == "f" { f++ } '
    f"n++ < {_SHOWN} {{ print substr($0, 1, 300) }} "
    'END { printf "%d folders, %d files, status %s\\n", d, f, status }\''
)
_WALK = (
    # find(1) must be able to return to the folder it started in, which belongs to root.
    f"cd / && {{ nice -n 19 ionice -c 3 runuser -u asterisk -- timeout {WALK_SECONDS} "
    f"find {SPOOL} -ignore_readdir_race {_REFUSED} 2>/dev/null; "
    r"""printf '= %d\0' $?; } | tr '\n\0' '?\n' | """
    f"{_COUNTED}"
)


def spool_access(reach: ProbeContext) -> SpoolAccess:
    """Search the whole spool with low priority, for at most WALK_SECONDS."""
    done = reach.runner.run(["sh", "-c", _WALK], timeout=WALK_SECONDS + _GRACE_SECONDS)
    return parse_access(done.stdout)


def parse_access(text: str) -> SpoolAccess:
    """Parse the first entries, one per line, and the line with the counts and find(1)'s status.

    Raises UnreachableError if the search failed.
    """
    *shown, last = text.splitlines() or [""]
    counts = re.fullmatch(r"(\d{1,12}) folders, (\d{1,12}) files, status (\d{1,3})", last)
    if counts is None:
        raise UnreachableError(
            _("{spool} can't be searched", spool=SPOOL), evidence=text.strip()[:1000]
        )
    folders, files, status = map(int, counts.groups())
    # find(1) exits with 1 if it could not enter a folder, which it has listed by then.
    if status not in (0, _TIMED_OUT) and not folders:
        raise UnreachableError(
            _("{spool} can't be searched", spool=SPOOL), evidence=text.strip()[:1000]
        )
    return SpoolAccess(folders, files, tuple(shown), status != _TIMED_OUT, text.strip())


@dataclass(frozen=True)
class LostRecordings:
    """Recordings that Asterisk could not open in the last 24 hours, according to its log.

    `last` is the time of the latest one as logged (the host's local time; empty: none).
    """

    count: int
    last: str
    evidence: str


_LOST = script(
    since="date -d '24 hours ago' '+%F %T'",
    log=f"test -r {shlex.quote(LOG)} && echo readable || echo missing",
    # For each lost recording file.c logs the reason, and app_mixmonitor.c that it can't be opened.
    lines=f"tail -c {_LOG_OCTETS} {shlex.quote(LOG)} 2>/dev/null | "
    f"grep -aE '(app_mixmonitor\\.c: Cannot open|file\\.c: Unable to open file) {SPOOL}/' | "
    "cut -c 1-400 | tail -n 2000 || true",
)


def lost_recordings(reach: ProbeContext) -> LostRecordings:
    """Search the end of Asterisk's log."""
    done = reach.runner.run(["sh", "-c", _LOST])
    return parse_lost(sections(done.stdout))


def parse_lost(parts: Mapping[str, str]) -> LostRecordings:
    """Parse the time 24 hours ago and the log lines, both beginning with `YYYY-MM-DD HH:MM:SS`.

    Raises UnreachableError if the host did not report the time, or has no such log.
    """
    if parts.get("log", "").strip() != "readable":
        raise UnreachableError(
            _("{log} can't be read", log=LOG), helps="asterisk -rx 'logger reload'"
        )
    since = parts.get("since", "").strip()
    if not re.fullmatch(r"[\d-]{10} [\d:]{8}", since):
        raise UnreachableError(_("the host did not return its time"), evidence=since[:100])
    dated = (re.match(r"\[([\d-]{10} [\d:]{8})", line) for line in _lines(parts))
    recent = [found.string for found in dated if found and found[1] >= since]
    lost = [line for line in recent if "app_mixmonitor.c" in line]
    return LostRecordings(
        count=len(lost),
        last=lost[-1][1:20] if lost else "",
        evidence="\n".join(recent[-2 * _SHOWN :]),
    )


def _lines(parts: Mapping[str, str]) -> list[str]:
    return parts.get("lines", "").splitlines()


KEEPING_UNITS = ("ucontact-records.service", "ucontact-sync.service")


@dataclass(frozen=True)
class RecordingUnits:
    """State of the units that write recordings and call records to disk during calls."""

    states: Mapping[str, str]
    enabled: Mapping[str, str]
    evidence: str


def keeping(reach: ProbeContext) -> RecordingUnits:
    """Read whether these units are running, and enabled at boot."""
    units = " ".join(KEEPING_UNITS)
    command = script(
        active=f"systemctl is-active {units} || true",
        enabled=f"systemctl is-enabled {units} 2>/dev/null || true",
    )
    return parse_keeping(sections(reach.runner.run(["sh", "-c", command]).stdout))


def parse_keeping(parts: Mapping[str, str]) -> RecordingUnits:
    """Parse systemctl's answers, one per line, in the order of KEEPING_UNITS."""
    active, enabled = (parts.get(name, "").split() for name in ("active", "enabled"))
    return RecordingUnits(
        states=dict(zip(KEEPING_UNITS, active, strict=False)),
        enabled=dict(zip(KEEPING_UNITS, enabled, strict=False)),
        evidence="\n".join(part.strip() for part in parts.values()),
    )


@dataclass(frozen=True)
class RecordingFile:
    """A recording: its call's unique id, age since the last write in seconds, size and name."""

    uniqueid: str
    age: float
    size: int
    name: str


@dataclass(frozen=True)
class RecordedRow:
    """An answered call's record that names a recording; `age` is in seconds since its beginning."""

    uniqueid: str
    age: float
    billsec: int


@dataclass(frozen=True)
class RecordedRows:
    """The ids of all records, newest first, and those of answered calls that name a recording.

    `oldest`: the records are complete up to this age in seconds. `missing`: no mysql client exists.
    """

    ids: frozenset[str]
    recorded: tuple[RecordedRow, ...]
    oldest: float
    missing: bool = False


COMPARED_DAYS = 1
_LOOKED_AT_DAYS = 2 * COMPARED_DAYS  # a call may have begun long before its recording ended
_TABLE = "ccdata.cdr"
_MOST = 20_000
_NO_CLIENT = 127  # the shell's exit status for a command that does not exist
_DAY = 86400.0
_RECORDING = re.compile(r".*_(?P<uniqueid>\d+\.\d+)\.\w+?(?:\.p7m)?")
# Folders are named by the day on which a call began; only the latest ones are searched.
_FILES = (
    "now=$(date +%s); "
    f'for day in $(seq 0 {_LOOKED_AT_DAYS}); do folder={RECORDINGS}/$(date -d "$day days ago" '
    '+%Y/%m/%d); if [ -d "$folder" ]; then find "$folder" -type f '
    r"-printf '%T@ %s %f\0'; fi; done | tr '\n\0' '?\n' | sort -rn | "
    f"head -n {_MOST}; "
    'echo "now $now"'
)
_ROWS = (
    "select uniqueid, timestampdiff(second, calldate, utc_timestamp()), billsec, "
    "disposition = 'ANSWERED' and userfield <> '' from ccdata.cdr "
    f"where calldate > utc_timestamp() - interval {_LOOKED_AT_DAYS} day "
    f"order by calldate desc limit {_MOST}"
)


def recording_files(reach: ProbeContext) -> tuple[RecordingFile, ...]:
    """The latest recordings, newest first."""
    return parse_files(reach.runner.run(["sh", "-c", _FILES], timeout=30.0).stdout)


def parse_files(text: str) -> tuple[RecordingFile, ...]:
    """Parse `TIME SIZE NAME` lines and the line with the time; other files are skipped.

    Raises UnreachableError if the host did not report the time.
    """
    *lines, last = text.splitlines() or [""]
    now = re.fullmatch(r"now (\d{1,12})", last)
    if now is None:
        raise UnreachableError(_("the host did not return its time"), evidence=last[:100])
    found = (re.fullmatch(r"(\d{1,12})\.\d+ (\d{1,15}) (.+)", line) for line in lines)
    named = ((one, _RECORDING.fullmatch(one[3])) for one in found if one)
    return tuple(
        RecordingFile(name["uniqueid"], float(now[1]) - float(one[1]), int(one[2]), one[3])
        for one, name in named
        if name
    )


def recorded_rows(reach: ProbeContext, name: str) -> RecordedRows:
    """Read the latest call records on the database host `name`."""
    words = [*mysql_words(_ROWS), "--skip-column-names"]
    done = reach.runner_on(name).run(words, timeout=30.0)
    if done.status == _NO_CLIENT:
        return RecordedRows(frozenset(), (), 0.0, missing=True)
    if done.status:
        raise UnreachableError(_("{table} can't be read", table=_TABLE), evidence=done.evidence)
    return parse_rows(done.stdout.splitlines())


def parse_rows(lines: Iterable[str]) -> RecordedRows:
    """Parse tab-separated lines of `ID AGE BILLSEC RECORDED`."""
    rows = [line.split("\t") for line in lines]
    good = [row for row in rows if len(row) == 4 and re.fullmatch(r"-?\d{1,12}", row[1])]
    all_of_them = len(rows) < _MOST
    return RecordedRows(
        ids=frozenset(row[0] for row in good),
        recorded=tuple(
            RecordedRow(row[0], float(row[1]), int(row[2]))
            for row in good
            if row[3] == "1" and re.fullmatch(r"\d{1,9}", row[2])
        ),
        oldest=_LOOKED_AT_DAYS * _DAY if all_of_them or not good else float(good[-1][1]),
    )
