"""How numbers are dialled in a country."""

from __future__ import annotations

import phonenumbers
import pytest

from tests.unit.sites import small_site
from ucontact_appliance.planning.dialling import Dialling, dialling
from ucontact_appliance.site.numbering import Numbering, numbering

COUNTRIES = ("AR", "BO", "BR", "CL", "CO", "CR", "EC", "ES", "MX", "PE", "PY", "US", "UY")


def test_uruguay() -> None:
    assert numbering("UY") == Numbering("598", "00", "0", (8,), ("128", "911"))


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("kind", ["FIXED_LINE", "MOBILE"])
def test_a_number_as_it_is_dialled_there_is_the_same_number(country: str, kind: str) -> None:
    rules = numbering(country)
    example = phonenumbers.example_number_for_type(
        country, getattr(phonenumbers.PhoneNumberType, kind)
    )
    assert example is not None
    digits = phonenumbers.national_significant_number(example)
    assert len(digits) in rules.lengths
    assert str(example.country_code) == rules.calling_code
    assert phonenumbers.is_valid_number(phonenumbers.parse(digits, country))
    if rules.international_prefix:
        abroad = f"{rules.international_prefix}{rules.calling_code}{digits}"
        assert phonenumbers.parse(abroad, country).country_code == example.country_code


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_country_has_emergency_numbers(country: str) -> None:
    assert numbering(country).emergency


def test_without_a_country_nothing_is_known() -> None:
    assert dialling(small_site().telephony) == Dialling(None, (), ())


def test_a_site_names_its_own_emergency_numbers_and_trunks() -> None:
    trunks = [
        {"name": name, "host": "192.0.2.50", "prefix": prefix}
        for name, prefix in [("a", "7"), ("b", "8")]
    ]
    site = small_site(telephony={"country": "UY", "trunks": trunks})
    assert dialling(site.telephony).emergency_numbers == ("128", "911")
    assert dialling(site.telephony).emergency_trunks == ("a", "b")
    own = {"numbers": ["112"], "trunks": ["b"]}
    site = small_site(telephony={"country": "UY", "trunks": trunks, "emergency": own})
    assert dialling(site.telephony).emergency_numbers == ("112",)
    assert dialling(site.telephony).emergency_trunks == ("b",)
