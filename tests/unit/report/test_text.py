from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.report.text import clean, one_line

# Lone surrogates too: they stand for bytes that were no UTF-8.
ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT)
def test_what_is_cleaned_encodes_and_keeps_its_length(text: str) -> None:
    assert clean(text).encode().decode() == clean(text)
    assert len(clean(text)) == len(text)


def test_only_what_no_format_can_hold_is_replaced() -> None:
    assert clean("a\x00b\x1b[0m\udce4\tñ\n😀") == "a?b?[0m?\tñ\n😀"


@given(ANY_TEXT)
def test_a_line_has_no_white_space_but_single_blanks(text: str) -> None:
    line = one_line(text)
    assert line == line.strip()
    assert line.splitlines() in ([], [line])
    assert "  " not in line
