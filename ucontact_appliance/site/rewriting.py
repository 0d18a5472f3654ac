"""Replace the content of site.yml by a changed one, if it is valid."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _, what_of
from ucontact_appliance.os_errors import refused
from ucontact_appliance.site.files import write_atomic
from ucontact_appliance.site.loader import load_site, parse_site
from ucontact_appliance.site.model import Site


@dataclass(frozen=True)
class Rewritten:
    """A changed site file: its path, the site before and after, and the lines that differ."""

    path: Path
    before: Site
    after: Site
    diff: str


def rewrite_site(
    path: Path,
    change: Callable[[str], str],
    known_checks: Collection[str] | None = None,
    known_controls: Collection[str] | None = None,
) -> Rewritten:
    """Change the text of site.yml and replace the file atomically; owner and mode stay.

    A link is followed. Raises UsageError, and leaves the file alone, when it is invalid before or
    after the change, or when somebody else has changed it meanwhile.
    """
    path = path.resolve()
    before = load_site(path, known_checks, known_controls)
    text = _read(path)
    made = change(text)
    try:
        parse_site(made, str(path), known_checks, known_controls)
    except UsageError as error:
        raise UsageError(
            _("the change would make {file} invalid; nothing was changed", file=path),
            evidence=error.evidence,
            helps=_("correct the command, or change {file} in an editor", file=path),
        ) from error
    if _read(path) != text:
        raise UsageError(
            _("{file} was changed by somebody else at the same time", file=path),
            helps=_("run the same command again"),
        )
    _replace(path, made)
    return Rewritten(path, before, load_site(path, known_checks, known_controls), _diff(text, made))


def _diff(before: str, after: str) -> str:
    """Return the lines that differ, as a unified diff without file names."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    return "\n".join(list(lines)[2:])


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise refused(_("{path} can't be read", path=path), error, path) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            _("{path} is not a text file", path=path), evidence=what_of(error)
        ) from error


def _replace(path: Path, text: str) -> None:
    owned = path.stat()
    write_atomic(path, text, owned.st_mode & 0o7777, owner=(owned.st_uid, owned.st_gid))
