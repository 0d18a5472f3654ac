import base64
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.redact import redactor

_VALUES = st.text("abcdef0123456789", min_size=8, max_size=12)


@given(st.lists(_VALUES, min_size=1, max_size=4), st.text(max_size=20))
def test_no_value_survives(values: list[str], text: str) -> None:
    shown = redactor(values)(text.join(values))
    assert not any(value in shown for value in values)


def test_a_value_inside_a_longer_one_does_not_leave_its_rest() -> None:
    assert redactor(["abcdefgh", "abcdefgh1234"])("pw abcdefgh1234") == "pw [secret]"


def test_very_short_values_do_not_eat_the_text() -> None:
    assert redactor(["22"])("port 22") == "port 22"


@pytest.mark.parametrize("encode", [quote, quote_plus, lambda value: quote(value, safe="")])
def test_a_value_in_an_address_is_found(encode: object) -> None:
    assert callable(encode)
    value = "p@ss word/+ñ"
    shown = redactor([value])(f"https://host/?p={encode(value)}&x=1")
    assert shown == "https://host/?p=[secret]&x=1"


@given(_VALUES, st.binary(max_size=9), st.binary(max_size=9), st.booleans())
def test_a_value_within_base64_can_not_be_read_back(
    value: str, before: bytes, after: bytes, url_safe: bool
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(before + value.encode() + after).decode()
    shown = redactor([value])(f"Authorization: Basic {text}")
    assert "[secret]" in shown
    assert len(shown.replace("[secret]", "")) <= len("Authorization: Basic ") + (
        4 * (len(before) + len(after)) // 3 + 6
    )
