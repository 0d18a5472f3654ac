"""Recordings are lost where Asterisk can't write, and the doctor says where, and which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.recordings import judge_access, judge_lost
from ucontact_appliance.facts.recordings import LostRecordings, parse_access, parse_lost

NONE = LostRecordings(0, "", "")
LOST = parse_lost(
    {
        "since": "2026-11-27 22:00:00",
        "log": "readable",
        "lines": recorded("lost_recordings-sid"),
    }
)
GOOD = parse_access(recorded("spool_access-sid"))


def test_an_open_spool() -> None:
    assert judge_access(GOOD, NONE).verdict is Verdict.PASS


def test_a_folder_of_root_with_what_it_cost_already() -> None:
    judged = judge_access(parse_access(recorded("spool_access_root-sid")), LOST)
    assert judged.verdict is Verdict.FAIL
    assert "1 folders" in judged.observed
    assert "2 recordings were lost" in judged.observed
    assert "d root:root 750 /var/spool/asterisk/monitor/2026" in judged.evidence
    assert "Permission denied" in judged.evidence


@pytest.mark.parametrize(("folders", "files"), [(1, 0), (0, 1)])
def test_what_is_closed_fails_though_not_all_was_seen(folders: int, files: int) -> None:
    found = replace(GOOD, folders=folders, files=files, complete=False)
    assert judge_access(found, NONE).verdict is Verdict.FAIL


def test_what_was_not_seen_is_no_pass() -> None:
    assert judge_access(replace(GOOD, complete=False), NONE).verdict is Verdict.SKIP


def test_lost_recordings_are_told_when_all_is_well_again() -> None:
    assert judge_lost(NONE).verdict is Verdict.PASS
    judged = judge_lost(LOST)
    assert judged.verdict is Verdict.WARN
    assert "2 recordings" in judged.observed
    assert "2026-11-28 22:35:34" in judged.observed
