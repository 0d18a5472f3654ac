"""The verdict on drills: their age, their result, and sites that want none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.unit.checks.subjects import subjects
from tests.unit.sites import small_site
from ucontact_appliance.checks import drill
from ucontact_appliance.checks.drill import judge_drilled
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.facts.drill import DrillHistory, DrillRecord
from ucontact_appliance.site.files import write_private

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)


def record(days: float, *, good: bool = True) -> DrillRecord:
    time = NOW - timedelta(days=days)
    trouble = "" if good else "ccdata.cdr: 3, 4"
    return DrillRecord(time=time, good=good, backup=time, seconds=300, report="r", trouble=trouble)


def judged(tmp_path: Path, every: str | None, *records: DrillRecord) -> Judgement:
    """The check's verdict on a site with these drills."""
    backup: dict[str, Any] = {"repository": "/mnt/backup"}
    if every is not None:
        backup["drill"] = {"every": every}
    history = DrillHistory()
    for one in records:
        history = history.with_drill(one)
    (subject,) = subjects(small_site(backup=backup))
    paths = type(subject.state)(etc=tmp_path, var=tmp_path)
    if records:
        write_private(paths.drills, history.model_dump_json())
    (check,) = drill.CHECKS
    object.__setattr__(subject, "state", paths)
    object.__setattr__(subject, "now", NOW)
    return check.judge(subject)


@pytest.mark.parametrize(
    ("every", "days", "verdict"),
    [
        ("monthly", 34, Verdict.PASS),
        ("monthly", 36, Verdict.FAIL),
        ("weekly", 8, Verdict.PASS),
        ("weekly", 10, Verdict.FAIL),
    ],
)
def test_a_drill_grows_old(tmp_path: Path, every: str, days: float, verdict: Verdict) -> None:
    found = judged(tmp_path, every, record(days))
    assert found.verdict is verdict
    if verdict is Verdict.FAIL:
        assert f"{days} days old" in found.observed


def test_a_calendar_gives_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def following(calendar: str, after: datetime) -> datetime:
        asked.append((calendar, after))
        return after + timedelta(days=14)

    monkeypatch.setattr(drill, "next_elapse", following)
    every = "*-*-1,15 03:00"
    assert judged(tmp_path, every, record(15)).verdict is Verdict.PASS
    assert judged(tmp_path, every, record(17)).verdict is Verdict.FAIL
    assert asked[0] == (every, NOW - timedelta(days=15))


def test_without_any_drill_it_warns(tmp_path: Path) -> None:
    assert judged(tmp_path, "monthly").verdict is Verdict.WARN
    assert judge_drilled(DrillHistory(), None, NOW).verdict is Verdict.WARN


@pytest.mark.parametrize("every", [None, "never"])
def test_sites_that_want_no_drills_are_left_alone(tmp_path: Path, every: str | None) -> None:
    found = judged(tmp_path, every, record(400, good=False))
    assert found.verdict is Verdict.SKIP
    assert "drills are not configured" in found.observed


def test_a_site_without_backups_is_left_alone() -> None:
    (check,) = drill.CHECKS
    (subject,) = subjects()
    assert check.judge(subject).verdict is Verdict.SKIP


def test_a_failed_drill_fails_although_an_older_one_was_good(tmp_path: Path) -> None:
    found = judged(tmp_path, "monthly", record(5), record(1, good=False))
    assert found.verdict is Verdict.FAIL
    assert "ccdata.cdr: 3, 4" in found.evidence
    again = judged(tmp_path, "monthly", record(5), record(1, good=False), record(0))
    assert again.verdict is Verdict.PASS
    assert "in 5 min" in again.observed
