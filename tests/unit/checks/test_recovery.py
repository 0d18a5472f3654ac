"""Whether a server's sealed state would be of use."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.recovery import judge_sealed
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.recovery import (
    RecoveryState,
    SealedRecord,
    own_digest,
    recovery_state,
)

RECORD = SealedRecord(
    sha256="a" * 64, created=datetime(2026, 11, 30, 12, 0, tzinfo=timezone.utc), own="b" * 64
)


@pytest.mark.parametrize(
    ("there", "own", "verdict", "told"),
    [
        ("a" * 64, "b" * 64, Verdict.PASS, "sealed on 2026-11-30 12:00 UTC"),
        ("", "b" * 64, Verdict.FAIL, "keeps no sealed state"),
        ("c" * 64, "b" * 64, Verdict.FAIL, "not the one of the last installation"),
        ("a" * 64, "c" * 64, Verdict.WARN, "changed since"),
    ],
)
def test_the_newest_state_is_required(there: str, own: str, verdict: Verdict, told: str) -> None:
    found = judge_sealed(there, RecoveryState(record=RECORD, own=own, shown=True))
    assert found.verdict is verdict
    assert told in found.observed


def test_a_key_that_nobody_has_is_told() -> None:
    found = judge_sealed("a" * 64, RecoveryState(record=RECORD, own="b" * 64, shown=False))
    assert found.verdict is Verdict.PASS
    assert "ucontact recovery show" in found.observed


def test_before_the_first_sealing_nothing_is_claimed() -> None:
    here = RecoveryState(record=None, own="b" * 64, shown=False)
    assert judge_sealed("", here).verdict is Verdict.SKIP


def test_this_machines_side_is_read(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ca.key").write_text("key")
    (tmp_path / "secrets.yml").write_text("a: b")
    (tmp_path / "sealed.json").write_text(RECORD.model_dump_json())
    paths = [str(tmp_path), str(tmp_path / "sealed.json"), str(tmp_path / "shown")]
    found = recovery_state(*paths)
    assert (found.record, found.shown) == (RECORD, False)
    before = own_digest(tmp_path)
    assert found.own == before
    (tmp_path / "pki/ca.key").write_text("other")
    assert own_digest(tmp_path) != before
    (tmp_path / "sealed.json").write_text("{")
    with pytest.raises(UnreachableError) as caught:
        recovery_state(*paths)
    assert "sealed.json" in caught.value.evidence
