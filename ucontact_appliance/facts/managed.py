"""The files that an installation wrote whole: as they are, and as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.facts.source import Reach
from ucontact_appliance.language.messages import _

# One process for all sums and one for all modes: three for each file take a hundred times as long.
_SCRIPT = r"""
for file in "$@"; do
  shift
  [ ! -f "$file" ] || set -- "$@" "$file"
done
[ $# -gt 0 ] || exit 0
""" + script(sums='sha256sum -- "$@"', modes="stat -c '%n\t%a %U:%G' -- \"$@\"")


class Record(BaseModel):
    """What the newest installation left: of each host, each file's SHA-256, mode and owner."""

    model_config = ConfigDict(frozen=True)

    hosts: dict[str, dict[str, str]]


def fingerprints(reach: Reach, paths: tuple[str, ...]) -> Mapping[str, str]:
    """SHA-256, mode and owner of each of the files that is there, by path."""
    return look(reach.runner, paths)


def look(runner: Runner, paths: tuple[str, ...]) -> dict[str, str]:
    """The same by a runner alone. Raises UnreachableError when the host refuses."""
    done = runner.run(["sh", "-c", _SCRIPT, "sh", *paths])
    if done.status:
        raise UnreachableError(_("the host's files can't be looked at"), evidence=done.evidence)
    with parsing(done, _("the host's answers can't be understood")):
        return parse_fingerprints(done.stdout)


def parse_fingerprints(text: str) -> dict[str, str]:
    """From sha256sum(1)'s lines and those of path, tab, mode and owner; nothing of no file."""
    part = sections(text)
    sums = [line.split("  ", 1) for line in part.get("sums", "").splitlines()]
    modes = dict(line.split("\t", 1) for line in part.get("modes", "").splitlines())
    return {path: f"{digest} {modes[path]}" for digest, path in sums if path in modes}


def written(path: str, host: str) -> Mapping[str, str]:
    """What was written on that host, as this machine's record has it; empty without a record.

    Raises UnreachableError when the record is there and damaged.
    """
    try:
        record = Record.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise UnreachableError(
            _("this machine's record of what it wrote can't be read"),
            evidence=f"{path}: {str(error).splitlines()[0]}",
        ) from error
    return record.hosts.get(host, {})
