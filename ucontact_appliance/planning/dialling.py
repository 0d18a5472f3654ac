"""What the dialplan needs to know of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.site.numbering import Numbering, numbering
from ucontact_appliance.site.telephony import Telephony


@dataclass(frozen=True)
class Dialling:
    """The country's rules, none for a site without a country, and emergency calls."""

    numbering: Numbering | None
    emergency_numbers: tuple[str, ...]
    emergency_trunks: tuple[str, ...]


def dialling(telephony: Telephony) -> Dialling:
    """Emergency calls try all trunks as listed, unless site.yml has an order."""
    return Dialling(
        numbering=numbering(telephony.country) if telephony.country else None,
        emergency_numbers=telephony.emergency_numbers,
        emergency_trunks=telephony.emergency.trunks
        or tuple(trunk.name for trunk in telephony.trunks),
    )
