"""Sealed state opens with its key alone, and whole or not at all."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from pydantic import ValidationError

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.recovery_key import generate_recovery_key
from ucontact_appliance.site.sealed_state import SiteState, seal, sealed_file, unseal

KEY = generate_recovery_key()


def state(**others: object) -> SiteState:
    return SiteState.model_validate(
        {
            "site": "demo",
            "appliance": "0.1.0",
            "controller": "laptop",
            "created": datetime(2026, 11, 30, tzinfo=timezone.utc),
            "site_yml": "site: demo\n",
            "etc": {"pki/ca.key": sealed_file(b"\x00key", 0o100600)},
            "var": {"journal.json": sealed_file(b"{}", 0o600)},
            "beside": {},
            **others,
        }
    )


def test_the_state_comes_back() -> None:
    sealed = seal(state(), KEY)
    assert b"key" not in sealed[30:]
    found = unseal(sealed, KEY)
    assert found == state()
    assert found.etc["pki/ca.key"].data == b"\x00key"
    assert found.etc["pki/ca.key"].mode == 0o600
    assert seal(state(), KEY) != sealed


def test_no_other_key_opens_it() -> None:
    with pytest.raises(UsageError, match="does not open"):
        unseal(seal(state(), KEY), generate_recovery_key())


def test_every_changed_or_missing_octet_is_noticed() -> None:
    sealed = seal(state(), KEY)
    for at in range(0, len(sealed), 7):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        for wrong in (changed, sealed[:at]):
            with pytest.raises(UsageError):
                unseal(wrong, KEY)


@pytest.mark.parametrize(
    "name", ["../secrets.yml", "/etc/shadow", "pki/../../x", "", ".", "pki/", "a b", "pki//x"]
)
def test_a_file_can_not_leave_the_folder(name: str) -> None:
    with pytest.raises(ValidationError):
        state(etc={name: sealed_file(b"", 0o600)})


def test_a_newer_form_is_told() -> None:
    class Newer(SiteState):
        more: int = 1

    newer = Newer.model_validate(state().model_dump())
    with pytest.raises(UsageError) as refused:
        unseal(seal(newer, KEY), KEY)
    assert "newest version" in refused.value.helps
