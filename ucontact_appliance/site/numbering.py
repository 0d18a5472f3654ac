"""How numbers are dialled in a country, from Google's libphonenumber.

The library is imported where it is asked: a site without `country` does not pay for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

# Emergency numbers have two to four digits everywhere.
_SHORT = range(10, 10000)
_INTERNATIONAL_PREFIXES = ("00", "011")


@dataclass(frozen=True)
class Numbering:
    """A country's rules: all digits, none where a country has no such prefix.

    `lengths` are those of a number with its area code and without any prefix (ITU-T E.164's
    national significant number), of fixed lines and mobiles.
    """

    calling_code: str
    international_prefix: str
    national_prefix: str
    lengths: tuple[int, ...]
    emergency: tuple[str, ...]


def supported_countries() -> frozenset[str]:
    """The countries whose rules are known (ISO 3166, two letters)."""
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415

    return frozenset(SUPPORTED_REGIONS)


@cache
def numbering(country: str) -> Numbering:
    """The rules of one of the supported countries.

    Raises ValueError for another. `international_prefix` is empty where it has to choose a
    carrier, as in Brazil.
    """
    from phonenumbers import PhoneMetadata, shortnumberinfo  # noqa: PLC0415

    rules = PhoneMetadata.metadata_for_region(country)
    if rules is None or rules.fixed_line is None or rules.mobile is None:
        raise ValueError(f"no numbering plan: {country!r}")
    prefixes = [rules.preferred_international_prefix or "", *_INTERNATIONAL_PREFIXES]
    accepted = re.compile(rules.international_prefix or "")
    lengths = {*rules.fixed_line.possible_length, *rules.mobile.possible_length}
    return Numbering(
        calling_code=str(rules.country_code),
        international_prefix=next((one for one in prefixes if one and accepted.fullmatch(one)), ""),
        national_prefix=rules.national_prefix or "",
        lengths=tuple(sorted(length for length in lengths if length > 0)),
        emergency=tuple(
            str(number)
            for number in _SHORT
            if shortnumberinfo.is_emergency_number(str(number), country)
        ),
    )
