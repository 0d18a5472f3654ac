"""Retention: what is too old or too much goes, and never what is under legal hold."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.recordings_database import RecordingsDatabase, write
from tests.unit.roles.services import telephony_service

DAY = 86400
OLD = "2026/01/02/20260102-100000_6001_43_1767348000.1.gsm"
NEW = "2026/01/03/20260103-100000_6001_43_1767434400.2.gsm"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "monitor"


@pytest.fixture
def service(spool: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = telephony_service("recordings-retention")
    monkeypatch.setattr(module.recordings, "ROOT", os.fsencode(spool))
    spool.mkdir()
    return module


@pytest.fixture
def database(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> RecordingsDatabase:
    made = RecordingsDatabase(service)
    for module in (service, service.recordings):
        monkeypatch.setattr(module, "execute", made.execute)
        monkeypatch.setattr(module, "rows", made.rows)
    return made


def aged(file: Path, days: float) -> Path:
    """The file, last written so many days ago."""
    then = time.time() - days * DAY
    os.utime(file, (then, then))
    return file


def indexed(service: ModuleType, spool: Path) -> None:
    """Add all that is there to the index."""
    service.recordings.add(list(service.recordings.all_recordings({})), time.time())
    assert spool.exists()


def test_old_recordings_go_and_stay_in_the_index(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    old, new = aged(write(spool, OLD), 31), aged(write(spool, NEW), 29)
    indexed(service, spool)
    told, status = service.work(30, 0)
    assert status == 0, told
    assert not old.exists()
    assert new.exists()
    marked = dict(database.index("path, deleted"))
    assert marked[OLD] is not None
    assert marked[NEW] is None
    assert told.startswith("1 recordings deleted")


def test_a_legal_hold_keeps_a_file(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    old = aged(write(spool, OLD), 400)
    indexed(service, spool)
    database.hold(OLD)
    told, status = service.work(30, 0)
    assert (old.exists(), status) == (True, 0)
    assert database.index("deleted") == [None]
    assert "1 kept under legal hold" in told


def test_a_hold_that_is_set_while_it_runs_counts(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = aged(write(spool, OLD), 400)
    indexed(service, spool)
    asked = service.recordings.holds_of

    def then_held(paths: list[bytes]) -> dict[bytes, bool]:
        found: dict[bytes, bool] = asked(paths)
        database.hold(OLD)
        return found

    monkeypatch.setattr(service.recordings, "holds_of", then_held)
    service.work(30, 0)
    assert old.exists()


def test_nothing_goes_while_the_index_is_away(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    old = aged(write(spool, OLD), 400)
    indexed(service, spool)
    foreign = aged(write(spool, "b\n"), 400)
    database.away = True
    told, status = service.work(30, 0)
    assert status == 1
    assert "no connection" in told
    assert old.exists()
    assert foreign.exists()


def test_one_that_is_in_no_index_is_indexed_before_it_goes(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    old, new = aged(write(spool, OLD), 31), aged(write(spool, NEW), 29)
    service.work(30, 0)
    assert (old.exists(), new.exists()) == (False, True)
    assert database.index() == [OLD]


def test_one_that_can_not_be_indexed_goes_when_it_is_too_old(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    old, new = aged(write(spool, "a\nb.gsm"), 31), aged(write(spool, "c\nd.gsm"), 29)
    assert service.work(30, 0)[1] == 0
    assert (old.exists(), new.exists()) == (False, True)
    assert database.index() == []


def test_what_can_not_be_deleted_is_not_marked(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aged(write(spool, OLD), 400)
    indexed(service, spool)

    def refused(_: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(service.os, "unlink", refused)
    told, status = service.work(30, 0)
    assert status == 1
    assert OLD in told or "Permission denied" in told
    assert database.index("deleted") == [None]


def _room(service: ModuleType, spool: Path, monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    """A file system that has that many octets too few until recordings of them are deleted."""
    before = sum(file.stat().st_size for file in spool.rglob("*.gsm"))

    def short(_: int) -> int:
        left = sum(file.stat().st_size for file in spool.rglob("*.gsm"))
        return max(0, octets - (before - left))

    monkeypatch.setattr(service, "octets_short", short)


def test_for_space_the_oldest_go_first_and_no_more_than_needed(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [aged(write(spool, f"2026/01/0{n}/a_{n}.1.gsm"), 10 - n) for n in range(1, 7)]
    indexed(service, spool)
    database.hold("2026/01/01/a_1.1.gsm")
    _room(service, spool, monkeypatch, 2 * files[0].stat().st_size)
    told, status = service.work(0, 10)
    assert status == 0, told
    assert [file.exists() for file in files] == [True, False, False, True, True, True]
    marked = [one is not None for one in database.index("deleted")]
    assert marked == [False, True, True, False, False, False]


def test_for_space_nothing_goes_that_is_in_no_index_or_of_the_last_day(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    today = aged(write(spool, "today_1.1.gsm"), 0.5)
    indexed(service, spool)
    unknown = aged(write(spool, "unknown_2.1.gsm"), 20)
    _room(service, spool, monkeypatch, 10**9)
    told, status = service.work(0, 10)
    assert status == 1
    assert "no recording is left to delete" in told
    assert today.exists()
    assert unknown.exists()
    assert database.index("deleted") == [None]


def test_with_room_the_index_is_not_asked(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    database.away = True
    assert service.work(0, 0)[1] == 0


def test_empty_folders_of_past_days_go(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    aged(write(spool, OLD), 31)
    now = time.time()
    today = spool / time.strftime("%Y/%m/%d", time.localtime(now))
    today.mkdir(parents=True)
    full = aged(write(spool, NEW), 29)
    service.work(30, 0)
    assert database.index() == [OLD]
    assert not (spool / OLD).parent.exists()
    assert full.exists()
    assert today.exists()


@pytest.mark.parametrize(
    ("free", "percent", "short"), [(50, 10, 50 * 4096), (100, 10, 0), (0, 0, 0)]
)
def test_how_much_is_short(
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    percent: int,
    short: int,
) -> None:
    class Space:
        f_blocks, f_bavail, f_frsize = 1000, free, 4096

    monkeypatch.setattr(service.os, "statvfs", lambda _: Space)
    assert service.octets_short(percent) == short


def test_an_encrypted_recording_goes_like_a_plain_one(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    old, held = aged(write(spool, OLD), 31), aged(write(spool, NEW), 400)
    indexed(service, spool)
    database.hold(NEW)
    for file in (old, held):
        file.rename(f"{file}.p7m")
    aged(write(spool, OLD), 31)  # killed before it was removed
    told, status = service.work(30, 0)
    assert status == 0, told
    assert [one.name for one in spool.rglob("*.*")] == [f"{held.name}.p7m"]
    assert told.startswith("1 recordings deleted")
