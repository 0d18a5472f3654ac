from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts import recordings
from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.recordings import parse_access, parse_lost


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
