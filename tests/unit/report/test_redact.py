from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.report.redact import redact

_VALUES = st.text("abcdef0123456789", min_size=8, max_size=12)


@given(st.lists(_VALUES, min_size=1, max_size=4), st.text(max_size=20))
def test_no_value_survives(values: list[str], text: str) -> None:
    shown = redact(text.join(values), values)
    assert not any(value in shown for value in values)


def test_a_value_inside_a_longer_one_does_not_leave_its_rest() -> None:
    assert redact("pw abcdefgh1234", ["abcdefgh", "abcdefgh1234"]) == "pw [secret]"


def test_very_short_values_do_not_eat_the_text() -> None:
    assert redact("port 22", ["22"]) == "port 22"
