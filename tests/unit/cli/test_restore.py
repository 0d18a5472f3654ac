"""`ucontact restore`: what is refused before anything is read or changed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.unit.cli.test_cli import Command, ucontact
from ucontact_appliance.cli import restore
from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.recovery_key import generate_recovery_key

__all__ = ["ucontact"]


@pytest.fixture(autouse=True)
def _has_restic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "demand_restic", lambda: None)
    monkeypatch.setattr(restore, "asked_key", generate_recovery_key)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "backup"), "is no repository"),
        (("--from", "rest:https://a:b@192.0.2.9/"), "name the account in 'user'"),
        (("--from", "/mnt/backup", "--at", "yesterday"), "--at is no time"),
        (("--from", "/mnt/backup", "--site", "/nowhere/site.yml"), "there is no folder /nowhere"),
    ],
)
def test_wrong_options_are_refused(ucontact: Command, words: tuple[str, ...], told: str) -> None:
    done = ucontact("restore", *words)
    assert done.code == 2
    assert told in done.err


def test_times_are_utc_unless_they_say_otherwise() -> None:
    noon = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    assert restore._moment("2026-11-30T12:00:00") == noon
    assert restore._moment("2026-11-30 12:00Z") == noon
    assert restore._moment("2026-11-30T12:00:00-03:00") == noon + timedelta(hours=3)
    assert restore._moment(None) is None
    with pytest.raises(UsageError):
        restore._moment("12 o'clock")
