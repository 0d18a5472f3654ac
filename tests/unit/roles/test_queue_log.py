"""The queue log's way to MySQL: each line once, whatever is restarted or rotated meanwhile."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.services import telephony_service

# Recorded on a rehearsal machine (Asterisk 22.10).
ENTER = "1795905244|1795905243.11|sales|NONE|ENTERQUEUE||24001234|1\n"
CONNECT = "1795905249|1795905243.11|sales|6001|CONNECT|5|1795905244.12|4\n"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = telephony_service("queue-log")
    monkeypatch.setattr(module, "LOG", str(tmp_path / "queue_log"))
    monkeypatch.setattr(module, "POSITION", str(tmp_path / "position.json"))
    return module


@pytest.fixture
def table(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """The statements, run by a database that knows the same INSERT."""
    connection = sqlite3.connect(":memory:")
    names = [
        "id",
        "time",
        *(name for name, _ in service.WIDTHS),
        *(f"data{n}" for n in range(1, 6)),
    ]
    connection.execute(f"create table queue_log ({', '.join(names)}, primary key (id))")

    def execute(statements: list[str]) -> None:
        for one in statements:
            connection.execute(
                one.replace("INSERT IGNORE", "INSERT OR IGNORE").replace("_utf8mb4 ", "")
            )

    monkeypatch.setattr(service, "execute", execute)
    yield connection
    connection.close()


def rows(table: sqlite3.Connection) -> list[tuple[object, ...]]:
    columns = "strftime('%s', time) + 0, callid, agent, event, data1, data2"  # `time` is UTC
    chosen = f"select {columns} from queue_log order by time"
    return [
        tuple(one.decode() if isinstance(one, bytes) else one for one in row)
        for row in table.execute(chosen)
    ]


def write(service: ModuleType, text: str, name: str = "") -> None:
    with Path(service.LOG + name).open("a", encoding="utf-8") as file:
        file.write(text)


def test_lines_become_rows(service: ModuleType, table: sqlite3.Connection) -> None:
    write(service, ENTER + CONNECT)
    service.send_new()
    assert rows(table) == [
        (1795905244, "1795905243.11", "NONE", "ENTERQUEUE", "", "24001234"),
        (1795905249, "1795905243.11", "6001", "CONNECT", "5", "1795905244.12"),
    ]


def test_a_line_that_is_still_being_written_waits(
    service: ModuleType, table: sqlite3.Connection
) -> None:
    write(service, ENTER + CONNECT[:20])
    service.send_new()
    assert len(rows(table)) == 1
    write(service, CONNECT[20:])
    service.send_new()
    assert len(rows(table)) == 2


def test_nothing_is_twice_when_the_position_is_lost(
    service: ModuleType, table: sqlite3.Connection
) -> None:
    write(service, ENTER + ENTER)  # twice in the same second: two rows
    service.send_new()
    Path(service.POSITION).unlink()
    service.send_new()
    assert len(rows(table)) == 2


def test_a_rotated_log_is_read_to_its_end(service: ModuleType, table: sqlite3.Connection) -> None:
    write(service, ENTER)
    service.send_new()
    write(service, CONNECT)
    Path(service.LOG).rename(service.LOG + ".1")
    write(service, ENTER.replace("5244|", "5300|"))
    service.send_new()
    service.send_new()
    assert len(rows(table)) == 3


def test_a_database_that_is_away_loses_nothing(
    service: ModuleType, table: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(service, ENTER)
    working = service.execute

    trouble = sys.modules["ucontact_odbc"].TroubleError

    def away(_: list[str]) -> None:
        raise trouble("isql: no connection")

    monkeypatch.setattr(service, "execute", away)
    with pytest.raises(trouble):
        service.send_new()
    monkeypatch.setattr(service, "execute", working)
    service.send_new()
    assert len(rows(table)) == 1


@pytest.mark.parametrize("line", ["", "no entry\n", "x|1.1|sales|NONE|ENTERQUEUE\n", "1|2|3\n"])
def test_what_is_no_entry_is_passed_over(
    service: ModuleType, table: sqlite3.Connection, line: str
) -> None:
    write(service, line + ENTER)
    service.send_new()
    assert len(rows(table)) == 1


def test_what_a_caller_sends_stays_text(service: ModuleType, table: sqlite3.Connection) -> None:
    write(service, ENTER.replace("24001234", "x'); DROP TABLE queue_log; --"))
    service.send_new()
    assert rows(table)[0][-1] == "x'); DROP TABLE queue_log; --"


def test_a_statement_fits_into_a_line_of_isql(
    service: ModuleType, table: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, lengths = service.execute, []

    def measured(statements: list[str]) -> None:
        lengths.extend(map(len, statements))
        working(statements)

    monkeypatch.setattr(service, "execute", measured)
    long = "|".join(["x" * 100] * 5)
    write(service, "".join(f"{1795905244 + n}|{n}.1|sales|{long}\n" for n in range(25)))
    service.send_new()
    assert len(rows(table)) == 25
    assert max(lengths) < 9000
