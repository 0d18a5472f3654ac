"""What is kept of calls that are up, so that a power cut leaves their records."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.roles.services import telephony_service
from ucontact_appliance.resources import load_data

# Recorded on a rehearsal machine (Asterisk 22.10), shortened.
CHANNELS = """\
Local/*43@internal-00000000;2!internal!*43!4!Up!Echo!!!!!3!1!!1795905244.1
PJSIP/6001-00000000!internal!6002!4!Ring!Dial!PJSIP/6002!6001!!!3!1!!1795905244.7
PJSIP/6002-00000001!internal!6002!1!Up!!!6001!!!3!1!b!17 959'05244.8
"""
CHANNEL = """\
 -- General --
           Name: PJSIP/6001-00000000
      Variables:
level 1: userfield=not-this-one
  CDR Variables:
level 1: clid="Ana O'Hara" <6001>
level 1: src=6001
level 1: dst=*43
level 1: dcontext=internal
level 1: channel=PJSIP/6001-00000000
level 1: lastapp=Echo
level 1: start=1795905244.305562
level 1: answer=1795905245.305876
level 1: end=0.000000
level 1: uniqueid=1795905244.0
level 1: linkedid=1795905244.0
level 1: userfield=2026/11/28/20261128-223404_6001_43_1795905244.0.gsm
level 2: uniqueid=other
"""
RUN = "boot 17 4711"


@pytest.fixture(scope="module")
def service() -> ModuleType:
    return telephony_service("call-records")


def test_channels_that_are_up_and_have_a_name_that_can_be_asked_for(service: ModuleType) -> None:
    up = service.channels_up(CHANNELS)
    assert up == [("Local/*43@internal-00000000;2", "1795905244.1")]


def test_the_record_of_an_answered_call(service: ModuleType) -> None:
    record = service.record_of(CHANNEL)
    assert record["userfield"].startswith("2026/11/28/")
    assert record["uniqueid"] == "1795905244.0"
    assert service.is_answered(record)
    assert service.is_kept(record)
    assert not service.is_answered({**record, "answer": "0.000000"})
    assert not service.is_answered({})


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({"linkedid": "1795905244.9", "userfield": ""}, False),
        ({"linkedid": "1795905244.9"}, True),
        ({"accountcode": "0123456789abmain"}, False),
        ({"accountcode": "sales"}, True),
    ],
)
def test_legs_and_the_doctors_calls_are_not_kept(
    service: ModuleType, changed: dict[str, str], kept: bool
) -> None:
    assert service.is_kept({**service.record_of(CHANNEL), **changed}) is kept


def test_what_a_caller_sent_is_no_sql(service: ModuleType) -> None:
    statement = service.insertion(service.record_of(CHANNEL), RUN)
    assert "O'Hara" not in statement
    assert b"O'Hara".hex() in statement
    assert "'2026-11-28 22:34:04', '2026-11-28 22:34:05'" in statement
    long = dict.fromkeys((name for name, _ in service.TEXTS), "ß" * 1000)
    assert len(service.insertion(long, RUN)) < 4000
    assert "\n" not in service.insertion({"src": "1\n2';--"}, RUN)


def test_each_column_is_one_of_the_table(service: ModuleType) -> None:
    columns: dict[str, dict[str, str]] = {
        table["name"]: {column["name"]: column["type"] for column in table["columns"]}
        for table in load_data("database")["tables"]
    }
    named = {name for name, _ in (*service.TIMES, *service.TEXTS)}
    assert named | {"seen", "run"} == columns["cdr_open"].keys()
    assert named <= columns["cdr"].keys()
    for name, width in service.TEXTS:
        assert columns["cdr_open"][name].startswith(f"VARCHAR({width})")


def test_many_calls_are_refreshed_in_parts(service: ModuleType) -> None:
    statements = service.refreshment([f"1.{number}" for number in range(130)], RUN)
    assert [one.split()[0] for one in statements] == ["UPDATE", "UPDATE", "UPDATE", "DELETE"]
    assert all(len(one) < 4000 for one in statements)
    assert [one.split()[0] for one in service.refreshment([], RUN)] == ["DELETE"]


def test_only_what_has_a_record_is_removed_after_a_crash(service: ModuleType) -> None:
    made, removed = service.completion(RUN)
    assert "NOT EXISTS (SELECT 1 FROM cdr c WHERE c.uniqueid = o.uniqueid)" in made
    assert removed.endswith("AND EXISTS (SELECT 1 FROM cdr c WHERE c.uniqueid = o.uniqueid)")


def test_a_run_is_told_from_the_next(service: ModuleType) -> None:
    stat = "4711 (aste ) risk) S " + " ".join(str(field) for field in range(4, 53))
    assert service.run_of("4711\n", "boot-id\n", stat) == "boot-id 4711 22"


class Server:
    """Asterisk and the database in a keeper's place of them."""

    def __init__(self, service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.channels, self.told, self.away = CHANNELS, [], False
        self.pid = "17"
        self.service = service
        monkeypatch.setattr(service, "read", self.read)
        for module in (service, sys.modules["ucontact_odbc"]):
            monkeypatch.setattr(module, "output_of", self.said_by)

    told: list[str]

    def read(self, path: str) -> str:
        if path.endswith("/stat"):
            return f"{self.pid} (asterisk) S " + " ".join(["0"] * 49)
        return self.pid

    def said_by(self, words: list[str], given: str = "") -> str:
        if words[0] == "isql":
            if self.away:
                raise self.service.TroubleError("isql: no server")
            self.told += given.splitlines()
            return ""
        return self.channels if "channels" in words[-1] else CHANNEL


def verbs(server: Server) -> list[str]:
    told, server.told = server.told, []
    return [one.split()[0] for one in told]


def test_rounds(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(service, monkeypatch)
    server.channels = "PJSIP/6001-00000000!internal!6002!4!Up!Echo!!!!!3!1!!1795905244.0\n"
    keeper: Any = service.Keeper()
    keeper.round()
    assert verbs(server) == ["INSERT", "DELETE", "INSERT", "UPDATE", "DELETE"]
    keeper.round()
    assert verbs(server) == []
    server.pid = "18"  # Asterisk has come again
    keeper.round()
    assert verbs(server) == ["INSERT", "DELETE", "INSERT"]


def test_without_calls_the_database_is_left_alone(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(service, monkeypatch)
    server.channels = ""
    clock = [1000.0]
    monkeypatch.setattr(service.time, "monotonic", lambda: clock[0])
    keeper: Any = service.Keeper()
    keeper.round()
    assert verbs(server) == ["INSERT", "DELETE", "DELETE"]
    clock[0] += service.BUSY_SECONDS - 1
    keeper.round()
    assert verbs(server) == ["DELETE"]
    clock[0] += 10
    keeper.round()
    assert verbs(server) == []


def test_a_database_that_comes_late_misses_nothing(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(service, monkeypatch)
    server.channels = "PJSIP/6001-00000000!internal!6002!4!Up!Echo!!!!!3!1!!1795905244.0\n"
    server.away = True
    keeper: Any = service.Keeper()
    with pytest.raises(service.TroubleError):
        keeper.round()
    server.away = False
    keeper.round()
    assert verbs(server)[:3] == ["INSERT", "DELETE", "INSERT"]


def test_isql_that_fails_with_status_0_is_trouble(service: ModuleType, tmp_path: Path) -> None:
    isql = tmp_path / "isql"
    isql.write_text("#!/bin/sh\necho '[ISQL]ERROR: Could not SQLPrepare' >&2\n")
    isql.chmod(0o755)
    with pytest.raises(service.TroubleError, match="SQLPrepare"):
        service.output_of([str(isql)])
    with pytest.raises(service.TroubleError):
        service.output_of([str(tmp_path / "none")])
