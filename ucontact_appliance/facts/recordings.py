"""The spool that Asterisk writes recordings into, and what its log says of those it lost."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import Reach

SPOOL = "/var/spool/asterisk"
LOG = "/var/log/asterisk/messages.log"
WALK_SECONDS = 60
_GRACE_SECONDS = 10.0
_SHOWN = 5
_LOG_OCTETS = 2_000_000
_TIMED_OUT = 124  # timeout(1)


@dataclass(frozen=True)
class SpoolAccess:
    """What in the spool Asterisk's account can't use: folders to write in, files to read.

    `shown` are the first few as `TYPE OWNER:GROUP MODE PATH`. `complete` is False where the walk
    was stopped before it had seen everything.
    """

    folders: int
    files: int
    shown: tuple[str, ...]
    complete: bool
    evidence: str


# The kernel itself is asked (access(2)) as Asterisk's account: groups and ACLs count as they do for
# Asterisk. Nothing is opened; entries that go meanwhile do not matter. A line end in a name would
# look like a second entry. The number of entries printed does not depend on that of files.
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
    # find(1) has to come back to the folder it started in, which is root's own.
    f"cd / && {{ nice -n 19 ionice -c 3 runuser -u asterisk -- timeout {WALK_SECONDS} "
    f"find {SPOOL} -ignore_readdir_race {_REFUSED} 2>/dev/null; "
    r"""printf '= %d\0' $?; } | tr '\n\0' '?\n' | """
    f"{_COUNTED}"
)


def spool_access(reach: Reach) -> SpoolAccess:
    """Walk the whole spool with low priority, for at most WALK_SECONDS."""
    done = reach.runner.run(["sh", "-c", _WALK], timeout=WALK_SECONDS + _GRACE_SECONDS)
    return parse_access(done.stdout)


def parse_access(text: str) -> SpoolAccess:
    """From the first entries, a line each, and the line with the counts and find(1)'s status.

    Raises UnreachableError where the walk could not be made.
    """
    *shown, last = text.splitlines() or [""]
    counts = re.fullmatch(r"(\d+) folders, (\d+) files, status (\d+)", last)
    if counts is None:
        raise UnreachableError(f"{SPOOL} can't be searched", evidence=text.strip()[:1000])
    folders, files, status = map(int, counts.groups())
    # find(1) ends with 1 where it could not enter a folder, which it has listed by then.
    if status not in (0, _TIMED_OUT) and not folders:
        raise UnreachableError(f"{SPOOL} can't be searched", evidence=text.strip()[:1000])
    return SpoolAccess(folders, files, tuple(shown), status != _TIMED_OUT, text.strip())


@dataclass(frozen=True)
class LostRecordings:
    """Recordings that Asterisk could not open in the last 24 hours, by its log.

    `last` is the time of the last one as the log has it (the host's local time; empty: none).
    """

    count: int
    last: str
    evidence: str


_LOST = script(
    since="date -d '24 hours ago' '+%F %T'",
    log=f"test -r {shlex.quote(LOG)} && echo readable || echo missing",
    # Of one that is lost, file.c says why and app_mixmonitor.c that there is no recording.
    lines=f"tail -c {_LOG_OCTETS} {shlex.quote(LOG)} 2>/dev/null | "
    f"grep -aE '(app_mixmonitor\\.c: Cannot open|file\\.c: Unable to open file) {SPOOL}/' | "
    "cut -c 1-400 | tail -n 2000 || true",
)


def lost_recordings(reach: Reach) -> LostRecordings:
    """Look through the end of Asterisk's log."""
    done = reach.runner.run(["sh", "-c", _LOST])
    return parse_lost(sections(done.stdout))


def parse_lost(parts: Mapping[str, str]) -> LostRecordings:
    """From the time 24 hours ago and the lines of the log, both `YYYY-MM-DD HH:MM:SS` first.

    Raises UnreachableError where the host did not say the time, or has no such log.
    """
    if parts.get("log", "").strip() != "readable":
        raise UnreachableError(f"{LOG} can't be read", helps="asterisk -rx 'logger reload'")
    since = parts.get("since", "").strip()
    if not re.fullmatch(r"[\d-]{10} [\d:]{8}", since):
        raise UnreachableError("the host does not say the time", evidence=since[:100])
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
