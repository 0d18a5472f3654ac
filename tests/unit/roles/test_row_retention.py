"""Old rows: small batches that wait for others, and what stays."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType

import pytest

from ucontact_appliance.resources import ROLES

NOW = 1_796_000_000
DAYS = {"calls": 730, "events": 90, "accesses": 0}


@pytest.fixture
def service() -> ModuleType:
    file = ROLES / "database/files/usr/local/lib/ucontact/row-retention.py"
    spec = importlib.util.spec_from_file_location("row_retention", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server:
    """MySQL with so many old rows per table, and a clock that sleeping moves."""

    def __init__(self, module: ModuleType, **rows: int) -> None:
        self.module, self.rows = module, rows
        self.time = 0.0
        self.slept: list[float] = []
        self.asked: list[str] = []
        self.running: Callable[[], int] = lambda: 2
        self.trouble: list[Exception] = []

    def query(self, statements: str) -> list[str]:
        if statements.startswith("SHOW"):
            return ["Threads_running", str(self.running())]
        self.time += 0.05
        if self.trouble:
            raise self.trouble.pop(0)
        self.asked.append(statements)
        table = statements.partition("DELETE FROM ccdata.")[2].split()[0]
        batch = min(self.rows.get(table, 0), self.module.ROWS_AT_ONCE)
        self.rows[table] = self.rows.get(table, 0) - batch
        return [str(batch)]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def run(self, days: dict[str, int] = DAYS) -> tuple[str, int]:
        work = self.module.Work(self.query, lambda: self.time, self.sleep)
        told: tuple[str, int] = self.module.run(days, NOW, work)
        return told


def test_batches_with_pauses_until_nothing_is_old(service: ModuleType) -> None:
    server = Server(service, cdr=1200, cel=3)
    assert server.run() == ("cdr: 1200 rows deleted\ncel: 3 rows deleted", 0)
    assert server.slept == [pytest.approx(0.2), pytest.approx(0.2)]
    tables = [text.partition("DELETE FROM ccdata.")[2].split()[0] for text in server.asked]
    assert tables == ["cdr"] * 3 + ["queue_log", "cel"]
    assert "calldate < '2024-11-30 " in server.asked[0]
    assert "eventtime < '2026-09-01 " in server.asked[-1]


def test_nothing_is_asked_where_all_is_kept(service: ModuleType) -> None:
    server = Server(service, cdr=5)
    assert server.run(dict.fromkeys(DAYS, 0)) == ("nothing to delete", 0)
    assert server.asked == []


def test_what_is_held_stays(service: ModuleType) -> None:
    for _, table, _, stay in service.TABLES:
        text = service.keys(table, "time", "2026-01-01 00:00:00", stay)
        assert text.count("AND NOT EXISTS") == len(stay) > 0
        assert ("legal_hold = 1" in text) is (table != "recording_access")


def test_it_waits_for_a_busy_server_and_a_lock(service: ModuleType) -> None:
    server = Server(service, cdr=1)
    answers = iter([40, 2])
    server.running = lambda: next(answers, 2)
    server.trouble = [service.LaterError("ERROR 1205 (HY000): Lock wait timeout exceeded")]
    assert server.run() == ("cdr: 1 rows deleted", 0)
    assert server.slept == [service.BUSY_SECONDS, service.BUSY_SECONDS]


def test_it_gives_up_when_the_night_is_over(service: ModuleType) -> None:
    server = Server(service, cdr=1)
    server.running = lambda: 40
    told, status = server.run({"calls": 30, "events": 0, "accesses": 0})
    assert status == 1
    assert "cdr: the server is busy" in told
    assert server.time <= service.MOST_SECONDS
    server = Server(service, cdr=10**9)
    told, status = server.run({"calls": 30, "events": 0, "accesses": 0})
    assert status == 0
    assert "cdr: the rest is deleted tomorrow" in told


def test_another_error_ends_its_table_only(service: ModuleType) -> None:
    server = Server(service, cel=4)
    server.trouble = [service.TroubleError("ERROR 1146 (42S02): Table 'ccdata.cdr' doesn't exist")]
    told, status = server.run()
    assert status == 1
    assert told.splitlines()[0].startswith("cdr: ERROR 1146")
    assert "cel: 4 rows deleted" in told


def test_what_mysql_says(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def saying(text: str) -> tuple[str, ...]:
        return "sh", "-c", f"echo '{text}' >&2; exit 1"

    monkeypatch.setattr(service, "MYSQL", saying("ERROR 1205 (HY000): Lock wait"))
    with pytest.raises(service.LaterError):
        service.ask("SELECT 1;")
    monkeypatch.setattr(service, "MYSQL", saying("ERROR 2002 (HY000): no server"))
    with pytest.raises(service.TroubleError, match="2002"):
        service.ask("SELECT 1;")
    monkeypatch.setattr(service, "MYSQL", ("/nonexistent/mysql",))
    with pytest.raises(service.TroubleError, match="mysql:"):
        service.ask("SELECT 1;")
