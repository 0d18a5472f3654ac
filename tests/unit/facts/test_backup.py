"""What servers say of their backups is parsed, and bounded to what it may be."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timezone
from typing import Any

import pytest

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.backup import answer_of, error_of, parse_status
from ucontact_appliance.facts.backup_runs import merged, newest_good, parse_runs

MANIFEST: dict[str, Any] = {
    "version": 1,
    "site": "demo",
    "host": "one",
    "roles": ["telephony", "database"],
    "run": "20261130T023000Z",
    "began": "2026-11-30T02:30:00Z",
    "ended": "2026-11-30T02:31:00Z",
    "appliance": "1.0",
    "system": "Ubuntu 24.04 LTS",
    "parts": {"recordings": {"snapshot": "4c35f866", "paths": ["/a"], "files": 2, "octets": 7}},
    "database": {
        "snapshot": "0" * 64,
        "version": "8.0.40",
        "server": "5e0bc2fb-cccd-11f1-8ab5-0242ac120002",
        "octets": 100,
        "rows": {"ccdata.cdr": 3},
        "log": {"file": "binlog.000003", "position": 157},
    },
}


def row(run: str, host: str = "one", *, good: bool = True) -> dict[str, Any]:
    moment = datetime.strptime(run, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    found = {"run": run, "host": host, "time": moment.isoformat()}
    if good:
        found["manifest"] = MANIFEST | {"run": run, "host": host, "ended": moment.isoformat()}
    return found


def test_runs_of_several_servers_are_merged_newest_first() -> None:
    here = parse_runs({"runs": [row("20261130T023000Z"), row("20261129T023000Z", good=False)]})
    there = parse_runs({"runs": [row("20261130T023000Z"), row("20261130T023001Z", "two")]})
    found = merged([here, there])
    assert [(one.run, one.host, one.good) for one in found] == [
        ("20261130T023001Z", "two", True),
        ("20261130T023000Z", "one", True),
        ("20261129T023000Z", "one", False),
    ]
    assert found[0].manifest is not None
    assert found[0].manifest.octets == 107


def test_the_newest_good_run_of_each_host_up_to_a_moment() -> None:
    rows = [row("20261130T023000Z"), row("20261129T023000Z"), row("20261129T030000Z", "two")]
    rows.append(row("20261130T050000Z", good=False))
    found = parse_runs({"runs": rows})
    assert {host: one.run for host, one in newest_good(found).items()} == {
        "one": "20261130T023000Z",
        "two": "20261129T030000Z",
    }
    until = datetime(2026, 11, 29, 2, 45, tzinfo=timezone.utc)
    assert {host: one.run for host, one in newest_good(found, until).items()} == {
        "one": "20261129T023000Z"
    }


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("parts", "recordings", "snapshot"), "--password-command=x"),
        (("database", "log", "file"), "../binlog.000001"),
        (("database", "rows"), {"ccdata.cdr; DROP": 1}),
        (("run",), "-x"),
        (("version",), 2),
    ],
)
def test_a_manifest_with_something_else_in_it_is_refused(
    where: tuple[str, ...], value: Any
) -> None:
    manifest = copy.deepcopy(MANIFEST)
    inner = manifest
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(UnreachableError, match="can't be read"):
        parse_runs({"runs": [row("20261130T023000Z") | {"manifest": manifest}]})


def test_the_last_line_is_the_answer() -> None:
    text = '{"progress": "x"}\n{"error": {"kind": "full", "doing": "a", "words": "b"}}\n'
    error = error_of(answer_of(text))
    assert error is not None
    assert (error.kind, error.words) == ("full", "b")
    assert error_of(answer_of('{"id": "x"}')) is None


@pytest.mark.parametrize("text", ["", "Traceback", "[]", '{"a": '])
def test_no_answer_is_an_error(text: str) -> None:
    with pytest.raises(UnreachableError, match="gave no answer"):
        answer_of(text, "evidence")


def test_a_status_without_its_repository_can_not_be_read() -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        parse_status(json.loads('{"configured": 1}'), "")
