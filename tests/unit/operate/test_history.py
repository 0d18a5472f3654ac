"""Runs are kept privately, forgotten by rule, and compared with the right one."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.unit.findings.test_changes import finding
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Calls, Stage, Verdict
from ucontact_appliance.findings.changes import ChangeKind
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.operate.history import (
    By,
    RunRetention,
    changes_since,
    keep_run,
    kept_runs,
    retention,
)

NIGHT = datetime(2026, 11, 23, 3, 0, 0, tzinfo=timezone.utc)
RULE = RunRetention(runs=3, days=10)


def keep(
    folder: Path,
    hours: float,
    verdict: Verdict = Verdict.PASS,
    *,
    deep: bool = False,
    by: By = "hand",
    rule: RunRetention = RULE,
) -> Path:
    found = [finding("a.b", verdict)]
    if deep:
        found.append(finding("call.heard", Verdict.FAIL))
    at = NIGHT + timedelta(hours=hours)
    return keep_run(
        folder, small_site(), at, found, calls=Calls.DEEP if deep else Calls.NONE, by=by, rule=rule
    )


def test_a_run_is_kept_for_root_alone(tmp_path: Path) -> None:
    folder = tmp_path / "doctor"
    path = keep(folder, 0, Verdict.FAIL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (run,) = kept_runs(folder)
    assert run.document.time == NIGHT
    assert run.document.verdict is Verdict.FAIL
    assert run.document.findings[0].id == "a.b"


def test_older_and_surplus_runs_go(tmp_path: Path) -> None:
    for hours in (0, 1, 2, 3):
        keep(tmp_path, hours)
    assert [run.document.time.hour for run in kept_runs(tmp_path)] == [6, 5, 4]
    keep(tmp_path, 24 * 10 + 2.5)
    assert [run.document.time.hour for run in kept_runs(tmp_path)] == [5, 6]


def test_only_runs_are_ever_removed(tmp_path: Path) -> None:
    other = tmp_path / "notes.json"
    other.write_text("mine")
    for hours in range(5):
        keep(tmp_path, hours)
    assert other.read_text() == "mine"
    assert len(kept_runs(tmp_path)) == 3


def test_a_damaged_run_is_passed_over(tmp_path: Path) -> None:
    keep(tmp_path, 0)
    keep(tmp_path, 1).write_text("{")
    assert [run.document.time for run in kept_runs(tmp_path)] == [NIGHT]


def test_without_an_earlier_run_everything_is_new(tmp_path: Path) -> None:
    changes = changes_since(kept_runs(tmp_path / "none"), [finding()], calls=Calls.NONE)
    assert changes.since is None
    assert [row.kind for row in changes.rows] == [ChangeKind.NEW]


def test_a_plain_run_after_a_deep_one_misses_no_call(tmp_path: Path) -> None:
    deep_only = next(check.id for check in CHECKS if check.id.startswith("call."))
    found = [finding("a.b"), finding(deep_only)]
    keep_run(tmp_path, small_site(), NIGHT, found, calls=Calls.DEEP)
    runs = kept_runs(tmp_path)
    assert changes_since(runs, [finding("a.b")], calls=Calls.NONE).rows == ()
    (gone,) = changes_since(runs, [finding("a.b")], calls=Calls.DEEP).rows
    assert (gone.kind, gone.id) == (ChangeKind.GONE, deep_only)


def test_a_deep_run_is_compared_with_the_last_deep_one(tmp_path: Path) -> None:
    keep(tmp_path, 0, deep=True)
    keep(tmp_path, 1, Verdict.FAIL)
    found = [finding("a.b"), finding("call.heard", Verdict.FAIL)]
    changes = changes_since(kept_runs(tmp_path), found, calls=Calls.DEEP)
    assert (changes.since, changes.rows) == (NIGHT, ())


def test_what_a_person_saw_by_day_the_night_still_tells(tmp_path: Path) -> None:
    keep(tmp_path, 0, by="night")
    keep(tmp_path, 1, Verdict.FAIL)
    broken = [finding("a.b", Verdict.FAIL)]
    runs = kept_runs(tmp_path)
    assert changes_since(runs, broken, calls=Calls.NONE).rows == ()
    (change,) = changes_since(runs, broken, calls=Calls.NONE, by="night").rows
    assert (change.kind, change.before) == (ChangeKind.WORSE, "pass")


def test_the_rule_keeps_a_year_of_nights() -> None:
    rule = retention()
    assert rule.days >= 365
    assert rule.runs >= 365


def test_a_day_of_runs_by_hand_pushes_no_night_out(tmp_path: Path) -> None:
    keep(tmp_path, 0, by="night")
    for hours in range(1, 6):
        keep(tmp_path, hours)
    assert [run.by for run in kept_runs(tmp_path)] == ["hand", "hand", "hand", "night"]


def test_nights_with_the_short_call_are_compared_by_it(tmp_path: Path) -> None:
    echo = next(check.id for check in CHECKS if Stage.ECHO in check.stages and check.listens)
    deep_only = next(check.id for check in CHECKS if check.stages == {Stage.DEEP})
    found = [finding("a.b"), finding(echo), finding(deep_only)]
    keep_run(tmp_path, small_site(), NIGHT, found, calls=Calls.DEEP, by="night")
    now = [finding("a.b"), finding(echo, Verdict.FAIL)]
    (change,) = changes_since(kept_runs(tmp_path), now, calls=Calls.ECHO, by="night").rows
    assert (change.kind, change.id) == (ChangeKind.WORSE, echo)
    plain = [finding("a.b")]
    assert changes_since(kept_runs(tmp_path), plain, calls=Calls.NONE).rows == ()
