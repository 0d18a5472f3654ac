"""The index of recordings: every finished file once, whatever is away or restarted meanwhile."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.roles.recordings_database import RecordingsDatabase, write
from tests.unit.roles.services import telephony_service

CALL = "1795905244.7"
NAME = f"2026/11/28/20261128-223404_6001_24001234_{CALL}.gsm"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = telephony_service("recordings-index")
    monkeypatch.setattr(module.recordings, "ROOT", os.fsencode(tmp_path / "monitor"))
    (tmp_path / "monitor").mkdir()
    monkeypatch.setattr(module, "QUIET_SECONDS", -1)
    monkeypatch.setattr(module.recordings, "FOLDER_SECONDS", -1)
    monkeypatch.setattr(module, "open_files", set)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


@pytest.fixture
def database(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> RecordingsDatabase:
    made = RecordingsDatabase(service)
    for module in (service, service.recordings):
        monkeypatch.setattr(module, "execute", made.execute)
        monkeypatch.setattr(module, "rows", made.rows)
    return made


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "monitor"


def test_a_call_is_indexed_with_its_parties(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    content = bytes(33) * 500  # ten seconds of GSM 06.10
    write(spool, NAME, content)
    database.call(CALL, linkedid="1795905240.1")
    service.Indexer().round()
    told = "path, uniqueid, linkedid, started, duration, src, dst, queue, codec, bytes, sha256"
    assert database.index(told) == [
        (
            NAME,
            CALL,
            "1795905240.1",
            "2026-11-28 22:34:04",
            10,
            "6001",
            "24001234",  # the record has "s" only
            "",
            "gsm",
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
    ]
    assert database.index("legal_hold, deleted") == [(0, None)]


def test_queue_and_agent_come_from_the_queue_log(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    write(spool, NAME)
    database.call(CALL, dst="800")
    database.connect(CALL, "sales", "6002")
    service.Indexer().round()
    assert database.index("dst, queue, agent") == [("800", "sales", "6002")]


def test_what_arrives_later_is_filled_in(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    now = int(time.time())
    write(spool, f"a_{now}.1.gsm")
    old = now - service.RECORD_SECONDS - 1
    os.utime(spool / f"a_{now}.1.gsm", (old, old))
    indexer = service.Indexer()
    indexer.round()
    assert database.index("linkedid, queue") == [("", "")]
    database.call(f"{now}.1", src="24009999")
    database.connect(f"{now}.1", "sales", "6002")
    indexer.completed_at = -1e9
    indexer.round()
    assert database.index("linkedid, src, queue") == [(f"{now}.1", "24009999", "sales")]


def test_an_open_file_waits_for_its_end(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = write(spool, NAME)
    database.call(CALL)
    monkeypatch.setattr(service, "open_files", lambda: {os.fsencode(file)})
    indexer = service.Indexer()
    indexer.round()
    assert database.index() == []
    monkeypatch.setattr(service, "open_files", set)
    indexer.round()
    assert database.index() == [NAME]


def test_asterisks_open_files_are_read(
    service: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = telephony_service("recordings-index")
    pid = tmp_path / "pid"
    pid.write_text(f"{os.getpid()}\n")
    monkeypatch.setattr(module, "PID_FILE", str(pid))
    assert module.open_files() == set()  # the process of that number is another program
    with Path(f"/proc/{os.getpid()}/comm").open(encoding="ascii") as file:
        name = file.read()
    try:
        Path("/proc/self/comm").write_text("asterisk")
        with (tmp_path / "open.gsm").open("wb"):
            assert os.fsencode(tmp_path / "open.gsm") in module.open_files()
        assert os.fsencode(tmp_path / "open.gsm") not in module.open_files()
    finally:
        Path("/proc/self/comm").write_text(name.strip())


def test_a_recording_waits_for_its_record_but_not_for_ever(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    file = write(spool, NAME)
    indexer = service.Indexer()
    indexer.round()
    assert database.index() == []
    old = time.time() - service.RECORD_SECONDS - 1
    os.utime(file, (old, old))
    indexer.round()
    assert database.index("path, src, dst, linkedid") == [(NAME, "6001", "24001234", "")]


def test_the_doctors_calls_are_left_out(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    file = write(spool, NAME)
    os.utime(file, (1, 1))
    database.call(CALL, accountcode="0123456789abmain")
    service.Indexer().round()
    assert database.index() == []


def test_nothing_is_lost_or_twice_after_a_restart(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    write(spool, NAME)
    database.call(CALL)
    service.Indexer().round()
    write(spool, NAME.replace("_6001_", "_6002_"))
    service.Indexer().round()
    service.Indexer().round()
    assert len(database.index()) == 2


def test_a_database_that_is_away_delays_only(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    write(spool, NAME)
    database.call(CALL)
    indexer = service.Indexer()
    database.away = True
    for _ in range(2):
        with pytest.raises(service.TroubleError):
            indexer.round()
    database.away = False
    indexer.round()
    assert database.index() == [NAME]


def test_a_new_file_in_a_folder_that_was_complete_is_found(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    write(spool, NAME)
    database.call(CALL)
    indexer = service.Indexer()
    indexer.round()
    indexer.round()
    write(spool, NAME.replace("223404", "223405"))
    indexer.round()
    assert len(database.index()) == 2


def test_nothing_is_asked_while_nothing_changes(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    write(spool, NAME)
    database.call(CALL)
    indexer = service.Indexer()
    indexer.round()
    before = database.statements
    for _ in range(5):
        indexer.round()
    assert database.statements == before


def test_an_existing_spool_is_indexed_in_steps_newest_day_first(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for day in (1, 2, 3):
        for number in range(service.AT_ONCE + 5):
            file = write(spool, f"2026/11/0{day}/a_179590{day}000.{number}.gsm")
            os.utime(file, (1, 1))
    monkeypatch.setattr(service, "STEP_SECONDS", 0.0)
    indexer = service.Indexer()
    assert indexer.step()
    assert len(database.index()) == service.AT_ONCE
    assert all(path.startswith("2026/11/03/") for path in database.index())
    indexer.round()
    assert len(database.index()) == 3 * (service.AT_ONCE + 5)


@pytest.mark.parametrize("name", [b"\xff_1.1.gsm", b"x" * 251 + b".gsm", b"a\nb_1.1.gsm"])
def test_names_that_the_index_can_not_hold_are_logged_once(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    capsys: pytest.CaptureFixture[str],
    name: bytes,
) -> None:
    path = spool / os.fsdecode(name)
    path.touch()
    os.utime(path, (1, 1))
    write(spool, NAME)
    database.call(CALL)
    indexer = service.Indexer()
    indexer.round()
    indexer.round()
    # 255 bytes still fit.
    assert database.index() == [NAME] or len(name) == 255
    assert capsys.readouterr().err.count("no name for the index") == (len(name) != 255)


def test_links_are_not_followed(
    service: ModuleType, database: RecordingsDatabase, spool: Path, tmp_path: Path
) -> None:
    (spool / "link_1.1.gsm").symlink_to(write(tmp_path, "elsewhere.gsm"))
    (spool / "folder").symlink_to(tmp_path)
    service.Indexer().round()
    assert database.index() == []


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [
        ("a_1.1.gsm", 16500, ("gsm", 10)),
        ("a_1.1.wav", 160044, ("wav", 10)),
        ("upload", 5, ("upload", 0)),
    ],
)
def test_codec_and_duration(service: ModuleType, name: str, size: int, told: Any) -> None:
    fields = dict(
        service.recordings.fields_of(
            service.recordings.Recording(name.encode(), size, 100.0), "0" * 64, 200.0
        )
    )
    codec = bytes.fromhex(fields["codec"].split("'")[1]).decode()
    assert (codec, int(fields["duration"])) == told


# The head of a .webm of FFmpeg 7: its time scale of 1 ms, and a length of 12.345 s.
WEBM = bytes.fromhex("1a45dfa3 9f4286810142f7810142f2810442f381084282847765626d 18538067") + (
    bytes.fromhex("1549a966 2ad7b1830f4240 448988 40c81c8000000000") + bytes(3000)
)


@pytest.mark.parametrize(("head", "seconds"), [(WEBM, 12), (bytes(5000), 0), (b"", 0)])
def test_a_recording_of_video_is_indexed_with_its_length(
    service: ModuleType, database: RecordingsDatabase, spool: Path, head: bytes, seconds: int
) -> None:
    path = NAME.replace(".gsm", ".webm")
    write(spool, path, head)
    database.call(CALL)
    service.Indexer().round()
    told = database.index("path, uniqueid, src, dst, codec, duration, sha256")
    assert told == [
        (path, CALL, "6001", "24001234", "vp8", seconds, hashlib.sha256(head).hexdigest())
    ]


def test_a_file_without_its_name_yet_waits(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    hidden = write(spool, "2026/11/28/.20261128-223404_6001_6002_1795905244.7.webm", WEBM)
    database.call(CALL)
    indexer = service.Indexer()
    indexer.round()
    assert database.index() == []
    hidden.rename(hidden.with_name(hidden.name[1:]))
    indexer.round()
    assert len(database.index()) == 1
