"""Encryption of recordings: what the doctor demands of the service, its key and the spool."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.recordings_encryption import judge_encryption
from ucontact_appliance.facts.recordings_encryption import parse_encryption

SEEN = """\
---- active
active
---- enabled
enabled
---- key
yes
---- readable
no
---- plain
0
---- recent
---- log
"""
_FILE = "2026/01/02/20260102-100000_6001_43_1767348000.1.gsm"


@pytest.mark.parametrize(
    ("old", "new", "verdict", "told"),
    [
        ("", "", "pass", "all finished recordings"),
        ("active\nactive", "active\nfailed", "fail", "is failed, enabled"),
        ("enabled\nenabled", "enabled\n", "fail", "is active, unknown"),
        ("key\nyes", "key\nno", "fail", "the key is missing"),
        ("readable\nno", "readable\nyes", "fail", "can read the key"),
        ("plain\n0", f"plain\n{_FILE}\n1", "fail", "not encrypted: 1"),
        ("plain\n0\n---- recent\n", f"plain\n{_FILE}\n7\n---- recent\nx\n", "warn", "encrypted: 7"),
    ],
)
def test_verdicts(old: str, new: str, verdict: str, told: str) -> None:
    text = SEEN.replace(old, new, 1) if old else SEEN
    assert text != SEEN or not old
    judged = judge_encryption(parse_encryption(text))
    assert (judged.verdict.value, told in judged.observed) == (verdict, True)
    assert (_FILE in judged.evidence) is (_FILE in text)


def test_an_answer_without_a_count_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        parse_encryption(SEEN.replace("plain\n0", "plain\n"))
