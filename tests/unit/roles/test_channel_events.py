"""The way of channel events to MySQL: each once, and none of the doctor's own calls."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.roles.services import telephony_service
from ucontact_appliance.resources import ROLES

NOW = 1795905300.0
MARK = "0123456789ab"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = telephony_service("channel-events")
    monkeypatch.setattr(module, "LOG", str(tmp_path / "ucontact.csv"))
    monkeypatch.setattr(module, "POSITION", str(tmp_path / "position.json"))
    monkeypatch.setattr(module.time, "time", lambda: NOW)
    return module


@pytest.fixture
def table(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """The statements, run by a database that knows the same INSERT."""
    connection = sqlite3.connect(":memory:")
    names = ["id", "eventtime", *(name for name, _ in service.TEXTS)]
    quoted = ", ".join(f"`{name}`" for name in names)
    connection.execute(f"create table cel ({quoted}, primary key (id))")

    def execute(statements: list[str]) -> None:
        for one in statements:
            assert len(one) < 9000  # a line of isql
            connection.execute(
                one.replace("INSERT IGNORE", "INSERT OR IGNORE").replace("_utf8mb4 ", "")
            )

    monkeypatch.setattr(service, "execute", execute)
    yield connection
    connection.close()


def write(
    service: ModuleType, kind: str, call: str = "1.1", at: float = NOW - 60, **more: str
) -> None:
    """An event as cel_custom writes it."""
    fields = {"eventtype": kind, "linkedid": call, "uniqueid": call} | more
    line = io.StringIO()
    row = [f"{at:.6f}", *(fields.get(name, "") for name, _ in service.TEXTS)]
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row)
    with Path(service.LOG).open("a", encoding="utf-8") as file:
        file.write(line.getvalue())


def events(table: sqlite3.Connection) -> list[str]:
    chosen = table.execute("select eventtype from cel order by eventtime")
    return [kind.decode() for (kind,) in chosen]


def test_lines_become_rows(service: ModuleType, table: sqlite3.Connection) -> None:
    copier = service.Copier()
    write(service, "CHAN_START", at=1795905200.25, cid_name='a "quoted", name')
    write(service, "ANSWER", at=1795905201)
    service.send_new(copier)
    service.send_new(copier)
    assert events(table) == ["CHAN_START", "ANSWER"]
    ((when, name),) = table.execute(
        "select eventtime, cid_name from cel order by eventtime limit 1"
    )
    assert (when, name.decode()) == ("2026-11-28 22:33:20.250000", 'a "quoted", name')


def test_events_of_the_same_time_keep_their_order(
    service: ModuleType, table: sqlite3.Connection
) -> None:
    kinds = [f"{number}" for number in range(30)]
    for kind in kinds:
        write(service, kind)
    service.send_new(service.Copier())
    chosen = table.execute("select eventtype from cel order by eventtime, id")
    assert [kind.decode() for (kind,) in chosen] == kinds


def test_an_event_waits_until_it_is_settled(
    service: ModuleType, table: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    copier = service.Copier()
    write(service, "CHAN_START", at=NOW - 60)
    write(service, "ANSWER", at=NOW - 1)
    service.send_new(copier)
    assert events(table) == ["CHAN_START"]
    monkeypatch.setattr(service.time, "time", lambda: NOW + 3)
    service.send_new(copier)
    assert events(table) == ["CHAN_START", "ANSWER"]


def test_calls_of_the_doctor_are_left_out(service: ModuleType, table: sqlite3.Connection) -> None:
    copier = service.Copier()
    write(service, "CHAN_START", "7.1")
    write(service, "ANSWER", "7.1", accountcode=f"{MARK}echo")
    write(service, "CHAN_START", "8.1", channame=f"Local/24001234m{MARK}trunk@test-trunk-a-1;1")
    write(service, "CHAN_START", "9.1", accountcode="sales")
    service.send_new(copier)
    write(service, "HANGUP", "7.1")
    write(service, "HANGUP", "8.1")
    write(service, "HANGUP", "9.1")
    service.send_new(copier)
    calls = table.execute("select distinct linkedid from cel")
    assert [call.decode() for (call,) in calls] == ["9.1"]


def test_a_database_that_is_away_loses_nothing(
    service: ModuleType, table: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    copier, working = service.Copier(), service.execute
    write(service, "CHAN_START")

    class AwayError(Exception):
        pass

    def away(_: list[str]) -> None:
        raise AwayError

    monkeypatch.setattr(service, "execute", away)
    with pytest.raises(AwayError):
        service.send_new(copier)
    monkeypatch.setattr(service, "execute", working)
    service.send_new(service.Copier())  # started anew
    assert events(table) == ["CHAN_START"]


@pytest.mark.parametrize("line", ["", "\n", '"1.0","CHAN_START"\n', '"x","CHAN_START"\n', '"\0\n'])
def test_what_is_no_event_is_passed_over(
    service: ModuleType, table: sqlite3.Connection, line: str
) -> None:
    Path(service.LOG).write_text(line, encoding="utf-8")
    write(service, "ANSWER")
    service.send_new(service.Copier())
    assert events(table) == ["ANSWER"]


def test_the_longest_event_fits_into_a_statement(
    service: ModuleType, table: sqlite3.Connection
) -> None:
    longest: dict[str, Any] = {name: "é" * width for name, width in service.TEXTS}
    for _ in range(3):
        write(service, longest.pop("eventtype", "X"), longest.pop("linkedid", "1"), **longest)
    service.send_new(service.Copier())
    assert len(events(table)) == 3


def test_the_fields_are_in_the_order_of_asterisks_configuration(service: ModuleType) -> None:
    template = (ROLES / "telephony/templates/etc/asterisk/cel_custom.conf.j2").read_text()
    fields = re.findall(r"'([^']+)'", template.partition("fields = [")[2].partition("]")[0])
    names = {"CALLERID(name)": "cid_name", "CALLERID(num)": "cid_num", "CALLERID(ANI)": "cid_ani"}
    names |= {"CALLERID(RDNIS)": "cid_rdnis", "CALLERID(DNID)": "cid_dnid", "BRIDGEPEER": "peer"}
    names |= {"eventextra": "extra"}
    read = [names.get(one) or re.sub(r"^CHANNEL\((.*)\)$", r"\1", one) for one in fields]
    assert read == ["eventtime", *(name for name, _ in service.TEXTS)]
