"""The record of drills, and the next time of a calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts import drill
from ucontact_appliance.facts.drill import DrillHistory, DrillRecord, drill_history, next_elapse
from ucontact_appliance.facts.runner import Completed

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
# systemd 252, TZ=UTC.
ANSWER = """\
  Original form: *-*-1,15 03:00
Normalized form: *-*-01,15 03:00:00
    Next elapse: Tue 2026-12-01 03:00:00 UTC
       From now: 14h left
"""


def made(days: int, *, good: bool) -> DrillRecord:
    time = NOW + timedelta(days=days)
    return DrillRecord(time=time, good=good, backup=time, seconds=1, report="r")


def test_the_last_good_drill_is_kept_however_many_fail() -> None:
    history = DrillHistory().with_drill(made(0, good=True))
    for day in range(1, 61):
        history = history.with_drill(made(day, good=False))
    assert len(history.drills) == 50
    assert history.last_good == made(0, good=True)


def test_the_record_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "drills.json"
    assert drill_history(str(path)) == DrillHistory()
    history = DrillHistory().with_drill(made(0, good=True))
    path.write_text(history.model_dump_json())
    assert drill_history(str(path)) == history
    path.write_text("{")
    with pytest.raises(UnreachableError, match="can't be read"):
        drill_history(str(path))


def test_systemd_says_when_a_calendar_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []
    answers = [(0, ANSWER), (1, "Failed to parse calendar specification")]

    class Runner:
        def run(self, argv: Sequence[str]) -> Completed:
            asked.append(argv)
            status, out = answers.pop(0)
            return Completed(tuple(argv), status, out, "", 0.0)

    monkeypatch.setattr(drill, "LocalRunner", Runner)
    assert next_elapse("*-*-1,15 03:00", NOW) == datetime(2026, 12, 1, 3, tzinfo=timezone.utc)
    assert "--base-time=2026-11-30 12:00:00 UTC" in asked[0]
    assert asked[0][-2:] == ["--", "*-*-1,15 03:00"]
    with pytest.raises(UnreachableError, match="does not know when"):
        next_elapse("nonsense", NOW)
