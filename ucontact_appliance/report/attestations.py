"""Attestations: statements in site.yml by which a person takes the place of a check. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.report.verdicts import ATTESTED, MANUAL
from ucontact_appliance.site.waivers import Attestation


@dataclass(frozen=True)
class DatedAttestations:
    """The attestations of site.yml, and the day of a report."""

    attestations: tuple[Attestation, ...]
    today: date

    def word_for(self, control: str) -> Attestation | None:
        """Return the newest attestation of that control that is valid today, or None."""
        held = [
            one
            for one in self.attestations
            if one.control == control and one.seen <= self.today <= one.until
        ]
        return max(held, key=lambda one: one.seen, default=None)


NOBODY = DatedAttestations((), date.min)


def with_attestation(verdict: str, word: Attestation | None) -> str:
    """Return 'attested' where an attestation completes the verdict, else the verdict.

    `verdict` covers all checks, as if nothing were left to a person. An attestation overrides no
    check: what failed, or could not be judged or seen, keeps its verdict.
    """
    met = (MANUAL, Verdict.PASS.value)
    return ATTESTED if word is not None and verdict in met else verdict
