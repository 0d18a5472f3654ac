"""A recovery key survives being written down and typed; a typing error is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.recovery_key import (
    RecoveryKey,
    generate_recovery_key,
    kept_recovery_key,
    load_recovery_key,
    parse_recovery_key,
)

SECRETS = st.binary(min_size=20, max_size=20)


@given(SECRETS)
def test_what_is_shown_can_be_typed(secret: bytes) -> None:
    text = RecoveryKey(secret).text
    assert [len(group) for group in text.split("-")] == [5] * 8
    for typed in (text, text.lower(), text.replace("-", " "), text.replace("O", "0")):
        assert parse_recovery_key(f" {typed}\n").secret == secret


@given(SECRETS, st.integers(0, 39), st.sampled_from("ABCDEFGHJKMNPQRSTUVWXYZ234567"))
def test_a_wrong_letter_is_refused(secret: bytes, at: int, letter: str) -> None:
    letters = RecoveryKey(secret).text.replace("-", "")
    typed = letters[:at] + letter + letters[at + 1 :]
    if typed == letters:
        return
    with pytest.raises(UsageError) as refused:
        parse_recovery_key(typed)
    assert typed not in refused.value.what + refused.value.evidence


@pytest.mark.parametrize("text", ["", "abc", "-----", "ä" * 40, "A" * 41, "1" * 400])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a recovery key"):
        parse_recovery_key(text)


def test_the_key_is_not_in_its_repr() -> None:
    key = generate_recovery_key()
    assert key.secret != generate_recovery_key().secret
    assert str(key.secret) not in repr(key)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "recovery.key"
    assert load_recovery_key(path) is None
    made = kept_recovery_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_recovery_key(path) == load_recovery_key(path) == made
    path.write_text("damaged")
    with pytest.raises(UsageError, match="damaged"):
        kept_recovery_key(path)
    assert path.read_text() == "damaged"
