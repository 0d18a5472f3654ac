"""Unreadable or lost state on this machine: always an error, never a reason to start afresh."""

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
    """Whether `install --new-ca` replaces the damaged state, or a person has to."""

    WITH_NEW_CA = "with --new-ca"
    BY_HAND = "by hand"


@dataclass(frozen=True)
class Damage:
    """A piece of damaged state: what is wrong, the evidence, what helps, and its remaining `files`.

    `replacement` says whether `--new-ca` sets those files aside and continues without them.
    """

    what: str
    evidence: str
    helps: str
    files: tuple[Path, ...]
    replacement: Replacement = Replacement.WITH_NEW_CA

    def error(self) -> UsageError:
        """Return the damage as an error, which also says that nothing was changed."""
        return UsageError(
            _("{what}; nothing was changed", what=self.what),
            evidence=self.evidence,
            helps=self.helps,
        )


def why(error: Exception) -> str:
    """Return one line that says what is wrong and, for a ValidationError, at which key."""
    if not isinstance(error, ValidationError):
        text = what_of(error)
        line = str(text).partition("\n")[0][:_MOST_SHOWN]
        return text if line == text else line
    # Leave the invalid value out: it may be long or contain anything.
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"{key}: {first['msg']}"[:_MOST_SHOWN] if key else first["msg"][:_MOST_SHOWN]
