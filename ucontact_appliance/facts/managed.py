"""Files that an installation wrote as a whole: their current state, and the recorded one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

# One process for all checksums and one for all modes: three per file take a hundred times as long.
_SCRIPT = r"""
for file in "$@"; do
  shift
  [ ! -f "$file" ] || set -- "$@" "$file"
done
[ $# -gt 0 ] || exit 0
""" + script(sums='sha256sum -- "$@"', modes="stat -c '%n\t%a %U:%G' -- \"$@\"")


class InstallationRecord(BaseModel):
    """The latest installation's record: per host, each file's SHA-256, mode and owner."""

    model_config = ConfigDict(frozen=True)

    hosts: dict[str, dict[str, str]]


def fingerprints(reach: ProbeContext, paths: tuple[str, ...]) -> Mapping[str, str]:
    """SHA-256, mode and owner of each existing file, by path."""
    return look(reach.runner, paths)


def look(runner: Runner, paths: tuple[str, ...]) -> dict[str, str]:
    """Like `fingerprints`, given only a runner. Raises UnreachableError when the command fails."""
    done = runner.run(["sh", "-c", _SCRIPT, "sh", *paths])
    if done.status:
        raise UnreachableError(_("the host's files can't be read"), evidence=done.evidence)
    with parsing(done, _("the host's output can't be parsed")):
        return parse_fingerprints(done.stdout)


def parse_fingerprints(text: str) -> dict[str, str]:
    """Parse sha256sum(1)'s lines, and lines of path, tab, mode and owner; empty without files."""
    part = sections(text)
    sums = [line.split("  ", 1) for line in part.get("sums", "").splitlines()]
    modes = dict(line.split("\t", 1) for line in part.get("modes", "").splitlines())
    return {path: f"{digest} {modes[path]}" for digest, path in sums if path in modes}


def written(path: str, host: str) -> Mapping[str, str]:
    """What this machine recorded as written to that host; empty without a record.

    Raises UnreachableError when the record exists but is damaged.
    """
    try:
        record = InstallationRecord.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise UnreachableError(
            _("the record of the files that this machine wrote can't be read"),
            evidence=f"{path}: {str(error).splitlines()[0]}",
        ) from error
    return record.hosts.get(host, {})
