"""Copies of Asterisk's logs in MySQL: the verdicts."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.log_copies import judge_copy
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.log_copies import LogCopy, parse_copy


def answer(position: str, log: str = "7 100 1000") -> str:
    """What the probe's script prints."""
    parts = {"active": "active", "position": position, "log": log, "now": "1100", "words": ""}
    return "".join(f"---- {name}\n{value}\n" for name, value in parts.items())


@pytest.mark.parametrize(
    ("position", "log", "behind"),
    [
        ('{"inode": 7, "offset": 100}', "7 100 1000", 0),
        ('{"inode": 7, "offset": 60}', "7 100 1000", 40),
        ('{"inode": 6, "offset": 60}', "7 100 1000", None),
        ("", "7 100 1000", None),
        ("[]", "7 100 1000", None),
        ("", "", 0),
    ],
)
def test_how_much_of_the_log_is_not_sent(position: str, log: str, behind: int | None) -> None:
    assert parse_copy("a.service", answer(position, log)).behind == behind


def copy(active: str, behind: int | None, age: float, written: bool = True) -> LogCopy:
    return LogCopy("a.service", active, behind, age, written, "")


@pytest.mark.parametrize(
    ("found", "verdict", "told"),
    [
        (copy("active", 0, 900.0), Verdict.PASS, "the log is sent"),
        (copy("active", 80, 5.0), Verdict.PASS, "the log is sent"),
        (copy("active", 80, 90.0), Verdict.FAIL, "80 bytes of the log are not sent"),
        (copy("active", None, 90.0), Verdict.FAIL, "the current log is not sent"),
        (copy("failed", 0, 90.0), Verdict.FAIL, "a.service is failed"),
        (copy("active", 0, 9.0, False), Verdict.FAIL, "Asterisk does not write the log"),
    ],
)
def test_the_log_is_sent_but_for_its_last_minute(
    found: LogCopy, verdict: Verdict, told: str
) -> None:
    judged = judge_copy(found)
    assert (judged.verdict, judged.observed) == (verdict, told)


@pytest.mark.parametrize(
    ("shown", "written"),
    [("CEL Logging: Enabled\n", True), ("CEL Logging: Disabled\n", False), ("", False)],
)
def test_whether_asterisk_writes_it(shown: str, written: bool) -> None:
    text = f"{answer('')}---- enabled\n{shown}"
    assert parse_copy("a.service", text, "CEL Logging: Enabled").written is written
