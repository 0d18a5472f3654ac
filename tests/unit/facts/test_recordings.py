from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts import recordings
from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.recordings import (
    parse_access,
    parse_files,
    parse_keeping,
    parse_lost,
    parse_rows,
)


def test_a_spool_that_is_all_right() -> None:
    found = parse_access(recorded("spool_access-sid"))
    assert (found.folders, found.files, found.shown, found.complete) == (0, 0, (), True)


def test_a_spool_that_belongs_to_root() -> None:
    found = parse_access(recorded("spool_access_root-sid"))
    # What is below a folder that asterisk may not enter is not to be seen.
    assert (found.folders, found.files, found.complete) == (1, 0, True)
    assert found.shown == ("d root:root 750 /var/spool/asterisk/monitor/2026",)


def test_a_walk_that_was_stopped() -> None:
    assert not parse_access("0 folders, 0 files, status 124\n").complete


@pytest.mark.parametrize(
    "text",
    [
        "",
        "runuser: user asterisk does not exist\n",
        "0 folders, 0 files, status 1\n",
        "0 folders, 1 files, status 127\n",
    ],
)
def test_a_walk_that_could_not_be_made(text: str) -> None:
    with pytest.raises(UnreachableError, match="can't be searched"):
        parse_access(text)


@pytest.mark.parametrize(
    ("since", "count"), [("2026-11-27 22:00:00", 2), ("2026-11-29 01:00:00", 0)]
)
def test_lost_recordings_of_the_last_day(since: str, count: int) -> None:
    parts = {"since": since, "log": "readable", "lines": recorded("lost_recordings-sid")}
    found = parse_lost(parts)
    assert found.count == count
    assert bool(found.last) == bool(count)


def test_a_log_that_can_not_be_read() -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        parse_lost({"since": "2026-11-27 22:00:00", "log": "missing", "lines": ""})
    with pytest.raises(UnreachableError, match="time"):
        parse_lost({"since": "", "log": "readable", "lines": ""})


def test_the_log_is_looked_through_by_the_hosts_own_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "messages.log"
    log.write_text("[2026-11-28 22:00:00] NOTICE[1] x.c: y\n" + recorded("lost_recordings-sid"))
    command = recordings._LOST.replace(recordings.LOG, str(log))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    parts = sections(done.stdout)
    assert parts["lines"].count("app_mixmonitor.c: Cannot open") == 2
    assert "NOTICE" not in parts["lines"]


def test_the_units_that_keep_calls() -> None:
    words = "active\ninactive\n"
    found = parse_keeping({"active": words, "enabled": "enabled\ndisabled\n"})
    assert found.states == {
        "ucontact-records.service": "active",
        "ucontact-sync.service": "inactive",
    }
    assert found.enabled["ucontact-sync.service"] == "disabled"


def test_recordings_by_the_id_of_their_call() -> None:
    first, *_ = files = parse_files(recorded("recording_files-sid"))
    assert first.uniqueid == "1795905845.7"
    assert (first.size, first.name) == (32768, "20261128-224405_unknown_43_1795905845.7.gsm")
    assert 0 < first.age < 3600
    assert [file.age for file in files] == sorted(file.age for file in files)


def test_other_files_are_passed_over() -> None:
    text = "1795905859.1 7 notes.txt\nnonsense\n1795905859.1 7 x_1.2.gsm\nnow 1795905860\n"
    (found,) = parse_files(text)
    assert (found.uniqueid, round(found.age)) == ("1.2", 1)


def test_a_host_without_a_time() -> None:
    with pytest.raises(UnreachableError, match="time"):
        parse_files("find: something\n")


def test_rows_of_answered_calls_with_a_recording() -> None:
    found = parse_rows(recorded("recorded_rows-sid").splitlines())
    assert "1795905244.0" in found.ids
    (row, *_) = (row for row in found.recorded if row.uniqueid == "1795905244.1")
    assert row.billsec == 8
    assert found.oldest == 2 * 86400


def test_more_rows_than_are_looked_at_shorten_the_time() -> None:
    found = parse_rows(f"1.{number}\t{number}\t5\t1" for number in range(20_000))
    assert found.oldest == 19_999
