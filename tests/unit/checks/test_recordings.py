"""Recordings are lost where Asterisk can't write, and the doctor says where, and which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.recordings import (
    judge_access,
    judge_keeping,
    judge_lost,
    judge_pairs,
)
from ucontact_appliance.facts.recordings import (
    LostRecordings,
    RecordedRow,
    RecordedRows,
    RecordingFile,
    parse_access,
    parse_keeping,
    parse_lost,
)

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


def test_units_that_keep_calls() -> None:
    good = parse_keeping({"active": "active\nactive", "enabled": "enabled\nenabled"})
    assert judge_keeping(good).verdict is Verdict.PASS
    for parts in (
        {"active": "active\ninactive", "enabled": "enabled\nenabled"},
        {"active": "active\nactive", "enabled": "enabled\ndisabled"},
        {"active": "inactive\ninactive", "enabled": ""},
    ):
        judged = judge_keeping(parse_keeping(parts))
        assert judged.verdict is Verdict.FAIL
        assert "ucontact-" in judged.observed


HOUR = 3600.0


def a_file(age: float = HOUR, size: int = 9000) -> RecordingFile:
    return RecordingFile("1.2", age, size, "20261128-120000_6001_43_1.2.gsm")


def rows(*recorded_ones: RecordedRow, oldest: float = 48 * HOUR) -> RecordedRows:
    return RecordedRows(frozenset(row.uniqueid for row in recorded_ones), recorded_ones, oldest)


def test_a_recording_and_its_record() -> None:
    judged = judge_pairs([a_file()], rows(RecordedRow("1.2", HOUR, 5)))
    assert judged.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("file", "verdict"),
    [
        (a_file(), Verdict.WARN),
        (a_file(age=100), Verdict.PASS),  # of a call that may be up
        (a_file(age=30 * HOUR), Verdict.PASS),  # its record may be older than those looked at
        (a_file(size=0), Verdict.PASS),  # of a call that nobody took
    ],
)
def test_a_recording_without_a_record(file: RecordingFile, verdict: Verdict) -> None:
    judged = judge_pairs([file], rows())
    assert judged.verdict is verdict
    assert (file.name in judged.evidence) is (verdict is Verdict.WARN)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (RecordedRow("1.3", HOUR, 20), Verdict.WARN),
        (RecordedRow("1.3", HOUR, 1), Verdict.PASS),  # too short to be heard
        (RecordedRow("1.3", 100, 20), Verdict.PASS),  # may be about to be written
        (RecordedRow("1.3", 30 * HOUR, 20), Verdict.PASS),
    ],
)
def test_a_record_without_a_recording(row: RecordedRow, verdict: Verdict) -> None:
    assert judge_pairs([], rows(row)).verdict is verdict
    assert judge_pairs([replace(a_file(size=0), uniqueid="1.3")], rows(row)).verdict is verdict


def test_a_busy_site_is_compared_as_far_as_its_records_reach() -> None:
    found = rows(RecordedRow("9.9", 1.0, 5), oldest=5 * HOUR)
    assert judge_pairs([a_file(age=2 * HOUR)], found).verdict is Verdict.WARN
    assert judge_pairs([a_file(age=4 * HOUR)], found).verdict is Verdict.PASS


def test_without_a_client_nothing_is_claimed() -> None:
    found = RecordedRows(frozenset(), (), 0.0, missing=True)
    assert judge_pairs([a_file()], found).verdict is Verdict.SKIP
