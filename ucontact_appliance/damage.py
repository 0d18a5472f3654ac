"""State of this machine that is unreadable or lost: an error, never a reason to begin anew."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydantic import ValidationError

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _, what_of

NEW_CA = "ucontact install --new-ca"
_MOST_SHOWN = 300


class Replacement(Enum):
    """Whether `install --new-ca` takes its place."""

    WITH_NEW_CA = "with --new-ca"
    BY_HAND = "by hand"


@dataclass(frozen=True)
class Damage:
    """What is wrong with a piece of state, the evidence, and what helps; `files` is what is left.

    `replacement` says whether `--new-ca` sets those files aside and goes on without them.
    """

    what: str
    evidence: str
    helps: str
    files: tuple[Path, ...]
    replacement: Replacement = Replacement.WITH_NEW_CA

    def error(self) -> UsageError:
        """The same as an error; nothing was changed by then."""
        return UsageError(
            _("{what}; nothing was changed", what=self.what),
            evidence=self.evidence,
            helps=self.helps,
        )


def why(error: Exception) -> str:
    """One line for a person: where in the file, and what is wrong there."""
    if not isinstance(error, ValidationError):
        text = what_of(error)
        line = str(text).partition("\n")[0][:_MOST_SHOWN]
        return text if line == text else line
    # Without the value: it may be long, or anything.
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"{key}: {first['msg']}"[:_MOST_SHOWN] if key else first["msg"][:_MOST_SHOWN]
