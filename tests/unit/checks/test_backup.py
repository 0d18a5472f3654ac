"""Verdicts on backups: their age, the binary logs', and the repository."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ucontact_appliance.checks.backup import judge_binlog, judge_fresh, judge_target
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.backup import BackupError, BackupStatus, parse_status

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
FULL = BackupError(kind="full", doing="store files", words="no space left on device")


def status(hours_ago: float = 1, **more: Any) -> BackupStatus:
    document = {
        "repository": "/mnt/backup",
        "configured": int((NOW - timedelta(hours=hours_ago)).timestamp()),
    }
    return parse_status(document | more, "")


def good(hours: float) -> dict[str, Any]:
    return {"run": "20261130T000000Z", "ended": (NOW - timedelta(hours=hours)).isoformat()}


@pytest.mark.parametrize(
    ("hours", "verdict"), [(3, Verdict.PASS), (30, Verdict.WARN), (50, Verdict.FAIL)]
)
def test_a_backup_grows_old(hours: float, verdict: Verdict) -> None:
    assert judge_fresh(status(good=good(hours)), NOW).verdict is verdict


def test_a_new_site_has_a_day_for_its_first_backup() -> None:
    assert judge_fresh(status(1), NOW).verdict is Verdict.WARN
    assert judge_fresh(status(27), NOW).verdict is Verdict.FAIL


def test_a_failed_run_is_told_with_the_words_of_restic() -> None:
    run = {"run": "x", "state": "failed", "error": FULL.model_dump()}
    found = judge_fresh(status(good=good(3), run=run), NOW)
    assert found.verdict is Verdict.WARN
    assert "target is full" in found.observed
    assert "no space left on device" in found.evidence
    stopped = judge_fresh(status(good=good(3), run={"run": "x", "state": "interrupted"}), NOW)
    assert stopped.verdict is Verdict.WARN


def test_backups_that_site_yml_wants_and_no_server_has() -> None:
    for found in (judge_fresh(None, NOW), judge_binlog(None, NOW), judge_target(None, None)):
        assert found.verdict is Verdict.FAIL
        assert found.remedy == "{install}"


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(3, Verdict.PASS), (9, Verdict.WARN), (15, Verdict.FAIL)]
)
def test_binary_logs_grow_old(minutes: int, verdict: Verdict) -> None:
    logs = {"checked": (NOW - timedelta(minutes=minutes)).isoformat()}
    assert judge_binlog(status(binlog=logs), NOW).verdict is verdict


def test_the_first_binary_logs_have_some_minutes() -> None:
    assert judge_binlog(status(0.1), NOW).verdict is Verdict.SKIP
    assert judge_binlog(status(1), NOW).verdict is Verdict.FAIL
    failing = status(0.1, binlog={"error": FULL.model_dump()})
    assert judge_binlog(failing, NOW).verdict is Verdict.FAIL


def test_a_repository_that_can_not_be_opened() -> None:
    found = judge_target(status(), BackupError(kind="unreachable", words="connection refused"))
    assert found.verdict is Verdict.FAIL
    assert found.evidence == "connection refused"
    assert judge_target(status(), None).verdict is Verdict.PASS


def test_a_target_that_was_full_is_told_though_it_opens() -> None:
    run = {"run": "x", "state": "failed", "error": FULL.model_dump()}
    found = judge_target(status(run=run), None)
    assert found.verdict is Verdict.FAIL
    assert "ucontact backup prune" in found.remedy


def test_a_clean_up_that_failed_is_a_warning() -> None:
    error = {"kind": "locked", "words": "already locked"}
    found = judge_target(status(prune={"error": error}), None)
    assert found.verdict is Verdict.WARN
    assert "locked by another process" in found.observed
