"""Check that recordings are encrypted where site.yml asks for it (R05)."""

from __future__ import annotations

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.wording import unit_states
from ucontact_appliance.facts.recordings_encryption import (
    ENCRYPTION_UNIT,
    LATE_MINUTES,
    RecordingsEncryption,
    recordings_encryption,
)
from ucontact_appliance.language.messages import _


def judge_encryption(found: RecordingsEncryption) -> Judgement:
    """Require the service and its key, and no recording that stays plain.

    While it works off an existing spool, plain recordings only warn.
    """
    required = _(
        "{unit} runs, Asterisk can't read the key; no recording is plain after {minutes} minutes",
        unit=ENCRYPTION_UNIT,
        minutes=LATE_MINUTES,
    )
    if (found.active, found.enabled) != ("active", "enabled"):
        told = unit_states(ENCRYPTION_UNIT, found.active, found.enabled)
        enable = f"{{ssh}} systemctl enable --now {ENCRYPTION_UNIT}"
        return failed(told, required, found.evidence, enable)
    if not found.has_key:
        return failed(_("the key is missing"), required, found.evidence)
    if found.exposed:
        return failed(_("Asterisk's account can read the key"), required, found.evidence)
    if found.plain:
        told = _("recordings that are not encrypted: {count}", count=found.plain)
        return (warned if found.recent else failed)(told, required, found.evidence)
    return passed(_("all finished recordings are encrypted"), required, found.evidence)


@telephony_check(
    id="recordings.encryption",
    title=_("Recordings are encrypted on the disk"),
    severity=Severity.HIGH,
    requirements=("R05", "R25"),
    remedy="{install}",
    needs=("recordings.index",),
    timeout=60.0,
)
def _encryption(subject: Subject) -> Judgement:
    if not subject.site.recordings.encryption:
        return skipped(_("recordings.encryption is false in site.yml"))
    return judge_encryption(subject.facts.get(recordings_encryption))


CHECKS = checks_of(globals())
