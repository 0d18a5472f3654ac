"""The index of recordings in ccdata.recordings, held against the spool and the files' hashes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import RECORDINGS, mysql_words
from ucontact_appliance.facts.host import script, sections, unit_commands
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

INDEX_UNIT = "ucontact-recordings.service"
PLAYBACK_UNIT = "ucontact-playback.service"
INDEXED_DAYS = 1
_TABLE = "ccdata.recordings"
_FOLDER_DAYS = INDEXED_DAYS + 1  # folders are named by the day on which a call began
_ROW_DAYS = _FOLDER_DAYS + 2  # those days begin at the server's midnight, rows have UTC
_MOST_FILES, _MOST_ROWS = 20_000, 100_000
_NO_CLIENT = 127  # the shell's exit status for a command that does not exist
_FILE = re.compile(r"(\d{1,12})\.\d+ (.+)")
_DIGEST = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_SAMPLE_HALF = 10
# A sample takes no longer than this much reading: 20 files of at most 50 MB.
_SAMPLE_BYTES = 50_000_000
SAMPLE_SECONDS = 60.0
DECRYPT = "openssl cms -decrypt -binary -inform DER -inkey /etc/ucontact-recordings/key.pem"


@dataclass(frozen=True)
class SpoolFile:
    """A recording on disk: its path below the spool, and seconds since its last write."""

    path: str
    age: float


@dataclass(frozen=True)
class SpoolState:
    """The indexing unit's state, and the latest recordings that Asterisk does not have open."""

    active: str
    enabled: str
    files: tuple[SpoolFile, ...]
    evidence: str


# A name's newline shows as "?": the index has no such names.
_FILES = (
    f"for day in $(seq 0 {_FOLDER_DAYS}); do "
    'folder=$(date -d "$day days ago" +%Y/%m/%d); '
    f"cd {RECORDINGS}/$folder 2>/dev/null || continue; "
    r"""find . -type f ! -name ".*" -printf "%T@ $folder/%P\0"; done | tr '\n\0' '?\n' | """
    r"""sed 's/\.p7m$//' | sort -rn | """
    f"head -n {_MOST_FILES}"
)
_OPEN = (
    "pid=$(cat /run/asterisk/asterisk.pid 2>/dev/null) && "
    f"find /proc/$pid/fd -lname '{RECORDINGS}/*' -printf '%l\\0' 2>/dev/null | tr '\\n\\0' '?\\n' "
    "|| true"
)
_SPOOL = script(
    **unit_commands(INDEX_UNIT),
    enabled=f"systemctl is-enabled {INDEX_UNIT} 2>/dev/null || true",
    now="date +%s",
    open=_OPEN,
    files=_FILES,
)


def spool_state(reach: ProbeContext) -> SpoolState:
    """List the recordings of the last days, newest first."""
    return parse_spool(reach.runner.run(["sh", "-c", _SPOOL], timeout=30.0).stdout)


def parse_spool(text: str) -> SpoolState:
    """Parse the unit's state, and lines of `TIME PATH`.

    Raises UnreachableError if the host did not report the time.
    """
    part = sections(text)
    now = part.get("now", "").strip()
    if not re.fullmatch(r"\d{1,12}", now):
        raise UnreachableError(_("the host did not return its time"), evidence=now[:100])
    opened = set(part.get("open", "").splitlines())
    found = (_FILE.fullmatch(line) for line in part.get("files", "").splitlines())
    return SpoolState(
        active=part.get("active", "").strip(),
        enabled=part.get("enabled", "").strip(),
        files=tuple(
            SpoolFile(one[2], float(now) - float(one[1]))
            for one in found
            if one and f"{RECORDINGS}/{one[2]}" not in opened
        ),
        evidence=part.get("words", "").strip(),
    )


@dataclass(frozen=True)
class IndexedRows:
    """Paths in the index, unique ids of the doctor's own calls, and the last addition's age.

    `last` is in seconds, None for an empty index. `missing`: no mysql client exists.
    """

    paths: frozenset[str]
    doctors: frozenset[str]
    last: float | None
    missing: bool = False


_ROWS = (
    f"(select 'path', path from {_TABLE} where "
    f"started > utc_timestamp() - interval {_ROW_DAYS} day or "
    f"indexed > utc_timestamp() - interval {_ROW_DAYS} day "
    f"order by started desc limit {_MOST_ROWS}) union all "
    "(select 'doctor', uniqueid from ccdata.cdr where "
    f"calldate > utc_timestamp() - interval {_ROW_DAYS} day "
    "and accountcode regexp '^[0-9a-f]{12}') union all "
    f"(select 'last', timestampdiff(second, max(indexed), utc_timestamp()) from {_TABLE})"
)


def indexed_rows(reach: ProbeContext, name: str) -> IndexedRows:
    """Read the index's latest rows on the database host `name`."""
    lines = _asked(reach, name, _ROWS)
    if lines is None:
        return IndexedRows(frozenset(), frozenset(), None, missing=True)
    return parse_indexed(lines)


def parse_indexed(lines: Iterable[str]) -> IndexedRows:
    """Parse tab-separated lines of `KIND VALUE`."""
    rows = [line.partition("\t")[::2] for line in lines]
    last = next((value for kind, value in rows if kind == "last"), "")
    return IndexedRows(
        paths=frozenset(value for kind, value in rows if kind == "path"),
        doctors=frozenset(value for kind, value in rows if kind == "doctor"),
        last=float(last) if re.fullmatch(r"-?\d{1,12}", last) else None,
    )


@dataclass(frozen=True)
class SampledHashes:
    """Recordings by path with the SHA-256 of the index and of the file (empty: no such file)."""

    hashes: tuple[tuple[str, str, str], ...]
    missing: bool = False


# The newest ones, and as many from a random place on.
_SAMPLE = (
    f"(select path, sha256 from {_TABLE} where deleted is null and bytes <= {_SAMPLE_BYTES} "
    f"order by id desc limit {_SAMPLE_HALF}) union "
    f"(select r.path, r.sha256 from {_TABLE} r join "
    f"(select floor(1 + rand() * max(id)) as start from {_TABLE}) s on r.id >= s.start "
    f"where r.deleted is null and r.bytes <= {_SAMPLE_BYTES} order by r.id limit {_SAMPLE_HALF})"
)


def sampled_hashes(reach: ProbeContext, name: str) -> SampledHashes:
    """Hash a small sample of the indexed recordings on their server, with low priority."""
    lines = _asked(reach, name, _SAMPLE)
    if lines is None:
        return SampledHashes((), missing=True)
    wanted = parse_sample(lines)
    if not wanted:
        return SampledHashes(())
    done = reach.runner.run(hashing(wanted), timeout=SAMPLE_SECONDS)
    found = parse_digests(done.stdout)
    return SampledHashes(tuple((path, wanted[path], found.get(path, "")) for path in wanted))


# An encrypted recording has the hash of what it decrypts to.
_HASHED = (
    f'cd {RECORDINGS} && for file; do if test -f "$file.p7m"; then '
    f'{DECRYPT} -in "$file.p7m" 2>/dev/null | sha256sum | '
    """{ read -r digest _; printf '%s  %s\\0' "$digest" "$file"; }; """
    'else sha256sum --zero -- "$file"; fi; done 2>/dev/null'
)


def hashing(paths: Iterable[str]) -> list[str]:
    """The command that prints the SHA-256 of recordings, one per line, with low priority."""
    words = ["nice", "-n", "19", "ionice", "-c", "3", "sh", "-c", _HASHED, "sh", *paths]
    return ["sh", "-c", f"{shlex.join(words)} | tr '\\n\\0' '?\\n'"]


def parse_sample(lines: Iterable[str]) -> dict[str, str]:
    """Hashes by path; rows with a path that does not lie in the spool are skipped."""
    rows = (line.partition("\t")[::2] for line in lines)
    return {
        path: digest
        for path, digest in rows
        if path and not path.startswith(("/", "-")) and ".." not in path.split("/")
    }


def parse_digests(text: str) -> dict[str, str]:
    """Hashes by path, from sha256sum(1)."""
    found = (_DIGEST.fullmatch(line) for line in text.splitlines())
    return {one[2]: one[1] for one in found if one}


def _asked(reach: ProbeContext, name: str, query: str) -> list[str] | None:
    """The query's lines from the database host `name`; None without a client."""
    words = [*mysql_words(query), "--skip-column-names"]
    done = reach.runner_on(name).run(words, timeout=30.0)
    if done.status == _NO_CLIENT:
        return None
    if done.status:
        raise UnreachableError(_("{table} can't be read", table=_TABLE), evidence=done.evidence)
    return done.stdout.splitlines()
