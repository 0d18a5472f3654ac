"""The index of recordings: the doctor names what is not in it, and what was changed since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.recordings_index import judge_hashes, judge_index
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.recordings_index import (
    IndexedRows,
    SampledHashes,
    SpoolFile,
    SpoolState,
    parse_digests,
    parse_indexed,
    parse_sample,
    parse_spool,
)

NAME = "2026/11/30/20261130-123000_6001_43_1796041800.{}.gsm"
TEXT = f"""\
---- active
active
---- enabled
enabled
---- words
---- now
1796042800
---- open
/var/spool/asterisk/monitor/{NAME.format(2)}
---- files
1796041900.5000000000 {NAME.format(2)}
1796041830.2500000000 {NAME.format(1)}
no file
"""
GOOD = parse_spool(TEXT)


def rows(*numbers: int, last: float | None = 60.0) -> IndexedRows:
    return IndexedRows(frozenset(NAME.format(one) for one in numbers), frozenset(), last)


def test_what_asterisk_has_open_is_left_out() -> None:
    assert GOOD.files == (SpoolFile(NAME.format(1), 970.0),)
    assert (GOOD.active, GOOD.enabled) == ("active", "enabled")


def test_without_the_time_nothing_is_said() -> None:
    with pytest.raises(UnreachableError):
        parse_spool("---- active\nactive\n")


def test_rows_of_the_index() -> None:
    found = parse_indexed(["path\ta.gsm", "doctor\t1.2", "last\t7"])
    assert found == IndexedRows(frozenset({"a.gsm"}), frozenset({"1.2"}), 7.0)
    assert parse_indexed(["last\tNULL"]).last is None


@pytest.mark.parametrize(
    ("found", "indexed", "verdict"),
    [
        (GOOD, rows(1), Verdict.PASS),
        (GOOD, rows(), Verdict.WARN),  # the service is at work
        (GOOD, rows(last=900.0), Verdict.FAIL),
        (GOOD, rows(last=None), Verdict.FAIL),
        (GOOD, replace(rows(last=None), doctors=frozenset({"1796041800.1"})), Verdict.PASS),
        (replace(GOOD, files=(SpoolFile("a", 200.0),)), rows(last=None), Verdict.PASS),
        (replace(GOOD, files=(SpoolFile("a", 90000.0),)), rows(last=None), Verdict.PASS),
        (replace(GOOD, active="inactive"), rows(1), Verdict.FAIL),
        (replace(GOOD, enabled="disabled"), rows(1), Verdict.FAIL),
        (GOOD, replace(rows(), missing=True), Verdict.SKIP),
    ],
)
def test_index(found: SpoolState, indexed: IndexedRows, verdict: Verdict) -> None:
    assert judge_index(found, indexed).verdict is verdict


def test_a_missing_recording_is_named() -> None:
    judged = judge_index(GOOD, rows())
    assert "1 finished recordings" in judged.observed
    assert NAME.format(1) in judged.evidence


@pytest.mark.parametrize(
    ("hashes", "verdict", "words"),
    [
        ((("a", "1", "1"), ("b", "2", "2")), Verdict.PASS, "2 recordings"),
        ((), Verdict.PASS, "0 recordings"),
        ((("a", "1", "2"), ("b", "2", "2")), Verdict.FAIL, "1 differ"),
        ((("a", "1", ""), ("b", "2", "2")), Verdict.WARN, "1 are missing"),
        ((("a", "1", ""), ("b", "2", "3")), Verdict.FAIL, "1 are missing"),
    ],
)
def test_hashes(hashes: tuple[tuple[str, str, str], ...], verdict: Verdict, words: str) -> None:
    judged = judge_hashes(SampledHashes(hashes))
    assert judged.verdict is verdict
    assert words in judged.observed


def test_without_a_client_nothing_is_claimed() -> None:
    assert judge_hashes(SampledHashes((), missing=True)).verdict is Verdict.SKIP


def test_paths_outside_the_spool_are_not_sampled() -> None:
    lines = ["2026/a.gsm\t11", "/etc/shadow\t22", "../x\t33", "a/../../x\t44", "-x\t55", "\t66"]
    assert parse_sample(lines) == {"2026/a.gsm": "11"}


def test_digests() -> None:
    assert parse_digests(f"{'a' * 64}  2026/b c.gsm\nsha256sum: no\n") == {"2026/b c.gsm": "a" * 64}
