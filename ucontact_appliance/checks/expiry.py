"""The verdict on a certificate's remaining days, the same on disk and where it is served."""

from __future__ import annotations

from ucontact_appliance.checks.model import Verdict

WARN_DAYS = 30  # an install renews the appliance's own below this: a warning means that none ran
FAIL_DAYS = 7  # a working week to get another one from a CA


def verdict_on(days: int) -> Verdict:
    """Return the verdict on that many whole days left; negative after expiry."""
    if days < FAIL_DAYS:
        return Verdict.FAIL
    return Verdict.WARN if days < WARN_DAYS else Verdict.PASS
