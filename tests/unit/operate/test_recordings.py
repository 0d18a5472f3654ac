"""Legal hold, verification and export: what is run on the servers, and what is believed of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.unit.checks.subjects import big_site
from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts import indexed_recordings
from ucontact_appliance.facts.indexed_recordings import (
    RecordingFilter,
    condition,
    parse_recordings,
)
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.operate import recordings
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

CALL = "1795905244.7"
PATH = f"2026/11/28/20261128-223404_6001_43_{CALL}.gsm"
CONTENT = b"gsm" * 700
ROW: dict[str, Any] = {
    "path": PATH,
    "uniqueid": CALL,
    "linkedid": CALL,
    "started": "2026-11-28T22:34:04",
    "duration": 10,
    "src": "6001",
    "dst": "*43",
    "queue": "",
    "agent": "",
    "codec": "gsm",
    "bytes": len(CONTENT),
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "legal_hold": 0,
    "hold_reason": "",
    "hold_by": "",
    "hold_since": None,
    "deleted": None,
}


class Servers:
    """The database server with its rows, and the telephony server with one file."""

    def __init__(self, *rows: dict[str, Any], content: bytes | None = CONTENT) -> None:
        self.rows, self.content = [dict(row) for row in rows], content
        self.statements: list[str] = []
        self.obeys = True

    def run(self, argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        command = " ".join(argv)
        text, status = "", 0
        if argv[0] == "mysql" and "update" in command:
            self.statements.append(command)
            if self.obeys:
                for row in self.rows:
                    row["legal_hold"] = int("legal_hold = 1" in command)
        elif argv[0] == "mysql":
            text = "".join(json.dumps(row) + "\n" for row in self.rows)
        elif "sha256sum" in command and self.content is not None:
            text = f"{hashlib.sha256(self.content).hexdigest()}  {PATH}\n"
        elif "base64" in command:
            found = re.search(r"bs=(\d+) skip=(\d+)", command)
            assert found is not None
            size, number = int(found[1]), int(found[2])
            piece = (self.content or b"")[size * number : size * (number + 1)]
            text, status = base64.b64encode(piece).decode(), int(self.content is None)
        return Completed(tuple(argv), status, text, "no such file" if status else "", 0.0)


@pytest.fixture
def here(tmp_path: Path) -> Installed:
    site = big_site()
    paths = StatePaths(tmp_path / "etc", tmp_path / "var")
    return Installed(site, tmp_path / "site.yml", make_plan(site, {}), Secrets({}), paths)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    def serve(servers: Servers) -> Servers:
        @contextmanager
        def runner_for(host: object, ssh: object) -> Iterator[Servers]:
            yield servers

        monkeypatch.setattr(recordings, "runner_for", runner_for)
        return servers

    return serve


def test_a_hold_is_set_with_its_reason(here: Installed, serve: Any) -> None:
    servers = serve(Servers(ROW))
    (row,) = recordings.hold(here, CALL, "case '17'; drop", "A. Silva")
    assert row.legal_hold
    (statement,) = servers.statements
    assert b"case '17'; drop".hex() in statement
    assert "drop" not in statement  # text is never part of a statement
    assert statement.endswith("deleted is null and legal_hold = 0")


def test_a_hold_is_released(here: Installed, serve: Any) -> None:
    serve(Servers(ROW | {"legal_hold": 1}))
    (row,) = recordings.release(here, CALL)
    assert not row.legal_hold


def test_a_hold_that_does_not_last_is_an_error(here: Installed, serve: Any) -> None:
    serve(Servers(ROW)).obeys = False
    with pytest.raises(PhaseFailedError):
        recordings.hold(here, CALL, "case", "me")


@pytest.mark.parametrize("call", ["", "x", "1", "1.2; drop", "../1.2", "-1.2"])
def test_what_is_no_call_is_refused(here: Installed, serve: Any, call: str) -> None:
    servers = serve(Servers(ROW))
    for act in (
        lambda: recordings.hold(here, call, "case", "me"),
        lambda: recordings.release(here, call),
        lambda: recordings.of_call(here, call),
    ):
        with pytest.raises(UsageError, match="no id of a call"):
            act()
    assert servers.statements == []


def test_a_call_without_a_recording_is_an_error(
    here: Installed, serve: Any, tmp_path: Path
) -> None:
    serve(Servers())
    with pytest.raises(UsageError, match="no recording"):
        recordings.hold(here, CALL, "case", "me")
    with pytest.raises(UsageError, match="no recording"):
        list(recordings.export(here, CALL, tmp_path))


@pytest.mark.parametrize(
    ("reason", "by", "option"),
    [("", "me", "reason"), ("a\nb", "me", "reason"), ("a", "m" * 81, "by")],
)
def test_reasons_fit_into_the_index(
    here: Installed, serve: Any, reason: str, by: str, option: str
) -> None:
    serve(Servers(ROW))
    with pytest.raises(UsageError, match=f"--{option}"):
        recordings.hold(here, CALL, reason, by)


@pytest.mark.parametrize(
    ("content", "deleted", "intact"),
    [
        (CONTENT, None, True),
        (CONTENT + b"x", None, False),
        (None, None, False),
        (None, "2026-12-01T03:10:00", True),
        (CONTENT, "2026-12-01T03:10:00", False),
    ],
)
def test_verification(
    here: Installed, serve: Any, content: bytes | None, deleted: str | None, intact: bool
) -> None:
    serve(Servers(ROW | {"deleted": deleted}, content=content))
    (one,) = recordings.verify(here, recordings.of_call(here, CALL))
    assert one.intact is intact


def test_an_export_has_its_hash_beside_it(
    here: Installed, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexed_recordings, "_PIECE_BYTES", 1000)
    serve(Servers(ROW))
    (one,) = recordings.export(here, CALL, tmp_path / "case")
    assert one.file.read_bytes() == CONTENT
    assert one.file.stat().st_mode & 0o777 == 0o600
    note = one.file.with_name(f"{one.file.name}.sha256")
    assert note.read_text() == f"{ROW['sha256']}  {one.file.name}\n"
    with pytest.raises(UsageError, match="exists already"):
        list(recordings.export(here, CALL, tmp_path / "case"))


@pytest.mark.parametrize("content", [CONTENT + b"x", None])
def test_no_export_of_what_was_changed_or_is_gone(
    here: Installed, serve: Any, tmp_path: Path, content: bytes | None
) -> None:
    serve(Servers(ROW, content=content))
    with pytest.raises((PhaseFailedError, UnreachableError)):
        list(recordings.export(here, CALL, tmp_path / "case"))
    assert list((tmp_path / "case").iterdir()) == []


def test_a_path_outside_the_spool_is_not_read(here: Installed, serve: Any, tmp_path: Path) -> None:
    serve(Servers(ROW | {"path": "../../etc/shadow"}))
    with pytest.raises(UnreachableError, match="no path in the spool"):
        list(recordings.export(here, CALL, tmp_path / "case"))


def test_filters_are_conditions() -> None:
    text = condition(
        RecordingFilter(
            call=CALL,
            held=True,
            number="' or 1=1",
            queue="sales",
            since=date(2026, 11, 1),
            until=date(2026, 11, 30),
            existing=True,
        )
    )
    assert "or 1=1" not in text
    assert "legal_hold <> 0" in text
    assert "started >= '2026-11-01'" in text
    assert "started < '2026-11-30' + interval 1 day" in text
    assert condition(RecordingFilter()) == "1 = 1"


@pytest.mark.parametrize("line", ["no json", "{}", "[]", json.dumps(ROW | {"started": None})])
def test_rows_that_can_not_be_read_are_an_error(line: str) -> None:
    with pytest.raises(UnreachableError):
        parse_recordings([line])
