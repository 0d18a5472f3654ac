"""Who asked for recordings: what is read of MySQL's answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import pytest

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.recording_accesses import (
    RecordingAccess,
    parse_accesses,
    recording_accesses,
)
from ucontact_appliance.facts.runner import Completed

LINE = (
    '{"path": "2026/11/30/a_1795905244.7.gsm", "time": "2026-11-30T12:00:01", '
    '"user": "supervisor", "source": "192.0.2.9", "outcome": "granted", "request": "GET bytes=0-9"}'
)
ACCESS = RecordingAccess(
    datetime(2026, 11, 30, 12, 0, 1, tzinfo=timezone.utc),
    "supervisor",
    "192.0.2.9",
    "2026/11/30/a_1795905244.7.gsm",
    "granted",
    "GET bytes=0-9",
)


class Server:
    """The database server: its answer, and what it was asked."""

    def __init__(self, text: str, status: int = 0) -> None:
        self.text, self.status, self.asked = text, status, ""

    def run(self, argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        self.asked = " ".join(argv)
        return Completed(tuple(argv), self.status, self.text, "", 0.1)


def test_rows_are_read_as_they_were_written() -> None:
    server = Server(f"{LINE}\n")
    assert recording_accesses(server, "1795905244.7", 5) == (ACCESS,)  # type: ignore[arg-type]
    assert "1795905244.7" not in server.asked  # as hexadecimal
    assert "limit 5" in server.asked
    assert "uniqueid" in server.asked
    assert recording_accesses(Server(""), "", 5) == ()  # type: ignore[arg-type]


def test_without_a_call_all_rows_are_asked_for() -> None:
    server = Server(LINE)
    recording_accesses(server, "", 5)  # type: ignore[arg-type]
    assert "where" not in server.asked


@pytest.mark.parametrize("line", ["no JSON", "{}", "[]", LINE.replace("2026-11-30T", "today ")])
def test_another_answer_is_an_error(line: str) -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        parse_accesses([line])


def test_a_failed_query_is_an_error() -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        recording_accesses(Server("", 1), "", 5)  # type: ignore[arg-type]
