"""How many days a certificate must have left: one verdict, on disk and where it is served."""

from __future__ import annotations

from ucontact_appliance.checks.model import Verdict

WARN_DAYS = 30  # the appliance renews its own from here on: below, nobody has installed
FAIL_DAYS = 7  # a working week to get another one from a CA


def verdict_on(days: int) -> Verdict:
    """The verdict on so many whole days left; negative when it has ended."""
    if days < FAIL_DAYS:
        return Verdict.FAIL
    return Verdict.WARN if days < WARN_DAYS else Verdict.PASS
