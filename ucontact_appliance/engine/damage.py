"""State of this machine that can't be used, or is lost: an error, never a reason to start anew."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ucontact_appliance.errors import UsageError

NEW_CA = "ucontact install --new-ca"


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
            f"{self.what}; nothing was changed", evidence=self.evidence, helps=self.helps
        )
