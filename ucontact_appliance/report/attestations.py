"""What a person vouches for, in place of a check: which of site.yml's words count today. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.report.verdicts import ATTESTED, MANUAL
from ucontact_appliance.site.waivers import Attestation


@dataclass(frozen=True)
class Vouched:
    """Site.yml's attestations, on the day of a report."""

    attestations: tuple[Attestation, ...]
    today: date

    def word_for(self, control: str) -> Attestation | None:
        """The newest word for that control that holds today; None where there is none."""
        held = [
            one
            for one in self.attestations
            if one.control == control and one.seen <= self.today <= one.until
        ]
        return max(held, key=lambda one: one.seen, default=None)


NOBODY = Vouched((), date.min)


def with_attestation(verdict: str, word: Attestation | None) -> str:
    """The verdict where a person has looked at what is left to one.

    `verdict` is the one over all checks, with nothing left to a person. A word outweighs no check:
    what failed, or could not be judged or seen, stays what it is.
    """
    met = (MANUAL, Verdict.PASS.value)
    return ATTESTED if word is not None and verdict in met else verdict
