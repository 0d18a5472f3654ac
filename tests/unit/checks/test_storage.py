from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.checks.memory import judge_kills, judge_memory
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.checks.recordings_space import judge_growth, judge_recordings
from ucontact_appliance.checks.storage import (
    judge_inodes,
    judge_room,
    judge_size,
    judge_space,
    judge_writable,
)
from ucontact_appliance.facts.storage import (
    FileSystem,
    FolderGrowth,
    MemoryUse,
    parse_file_system,
    parse_growth,
    parse_memory,
    parse_taken,
)

_GB = 1_000_000_000 / 1024  # kB of 1024 bytes in a GB


def _disk(size_gb: float, free_gb: float, **changes: object) -> FileSystem:
    found = parse_file_system(recorded("file_system-sid"), "/")
    assert found is not None
    return replace(found, size_kb=int(size_gb * _GB), free_kb=int(free_gb * _GB), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "free", "verdict"),
    [
        (500, 300, Verdict.PASS),
        (500, 40, Verdict.WARN),
        (500, 10, Verdict.FAIL),
        (10, 1.5, Verdict.WARN),  # 15 %, but soon nothing
        (10, 0.4, Verdict.FAIL),
        (500, 0, Verdict.FAIL),
    ],
)
def test_space(size: float, free: float, verdict: Verdict) -> None:
    judged = judge_space(_disk(size, free))
    assert judged.verdict is verdict
    assert f"{free:.1f} GB of {size:.1f} GB free on /" in judged.observed


@pytest.mark.parametrize(
    ("free", "installed", "verdict"),
    [
        (6.1, False, Verdict.PASS),
        (5.9, False, Verdict.FAIL),
        (1.1, True, Verdict.PASS),
        (0.9, True, Verdict.FAIL),
    ],
)
def test_room_for_the_installation(free: float, installed: bool, verdict: Verdict) -> None:
    assert judge_room(_disk(500, free), installed).verdict is verdict


@pytest.mark.parametrize(
    ("size", "verdict"), [(500, Verdict.PASS), (460, Verdict.PASS), (270, Verdict.WARN)]
)
def test_the_vendors_disk_is_advice(size: float, verdict: Verdict) -> None:
    assert judge_size(_disk(size, size)).verdict is verdict


@pytest.mark.parametrize(
    ("inodes", "free", "verdict"),
    [
        (1000, 500, Verdict.PASS),
        (1000, 90, Verdict.WARN),
        (1000, 10, Verdict.FAIL),
        (0, 0, Verdict.PASS),
    ],
)
def test_inodes(inodes: int, free: int, verdict: Verdict) -> None:
    assert judge_inodes(_disk(9, 9, inodes=inodes, inodes_free=free)).verdict is verdict


def test_a_read_only_disk() -> None:
    assert judge_writable(_disk(9, 9)).verdict is Verdict.PASS
    assert judge_writable(_disk(9, 9, read_only=True)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("size", "free", "recorded_gb", "verdict"),
    [
        (500, 500, 0, Verdict.PASS),
        (500, 80, 50, Verdict.PASS),  # a site in service: most of it is recorded already
        (500, 80, 40, Verdict.WARN),  # the rest of a large disk is somebody else's
        (500, 40, 90, Verdict.PASS),  # the oldest go already: 50 GB stay free
        (500, 40, 80, Verdict.WARN),
        (100, 88, 0, Verdict.WARN),
        (100, 89, 0, Verdict.PASS),
        (10, 10, 0, Verdict.WARN),
    ],
)
def test_recordings_of_the_whole_retention(
    size: float, free: float, recorded_gb: float, verdict: Verdict
) -> None:
    site = small_site(agents=29)  # 78.3 GB for 90 days
    judged = judge_recordings(_disk(size, free), int(recorded_gb * _GB), site)
    assert judged.verdict is verdict
    assert judged.required == "78.30 GB for recordings (90 days of retention)"
    assert f"recordings use {recorded_gb:.1f} GB" in judged.observed


def test_recordings_that_cannot_be_measured_are_no_pass() -> None:
    assert judge_recordings(_disk(500, 500), None, small_site()).verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("text", "taken"),
    [("1234\t/var/spool/asterisk/monitor\n", 1234), ("", None), ("du: no\n", None)],
)
def test_what_du_says(text: str, taken: int | None) -> None:
    assert parse_taken(text) == taken


def _memory(available_percent: float) -> MemoryUse:
    found = parse_memory(recorded("memory-sid"))
    return replace(found, available_kb=int(found.total_kb * available_percent / 100))


@pytest.mark.parametrize(
    ("percent", "verdict"), [(50, Verdict.PASS), (8, Verdict.WARN), (2, Verdict.FAIL)]
)
def test_memory(percent: float, verdict: Verdict) -> None:
    assert judge_memory(_memory(percent)).verdict is verdict


@pytest.mark.parametrize(
    ("kills", "verdict"), [(0, Verdict.PASS), (2, Verdict.WARN), (None, Verdict.SKIP)]
)
def test_kills(kills: int | None, verdict: Verdict) -> None:
    judged: Judgement = judge_kills(replace(_memory(50), oom_kills=kills))
    assert judged.verdict is verdict


@pytest.mark.parametrize(
    ("octets", "days", "verdict", "words"),
    [
        (
            7_000_000_000,
            7.0,
            Verdict.PASS,
            "1.00 GB per day: 90.0 GB in 90 days, 101.0 GB available",
        ),
        (
            9_000_000_000,
            7.0,
            Verdict.WARN,
            "1.29 GB per day: 115.7 GB in 90 days, 101.0 GB available",
        ),
        (1_100_000_000, 1.0, Verdict.PASS, "1.10 GB per day: 99.0 GB"),
        (1_200_000_000, 1.0, Verdict.WARN, "1.20 GB per day: 108.0 GB"),
    ],
)
def test_growth_is_held_against_the_room(
    octets: int, days: float, verdict: Verdict, words: str
) -> None:
    judged = judge_growth(FolderGrowth(9, octets, days, "sums"), _disk(500, 100), int(_GB), 90)
    assert judged.verdict is verdict
    assert judged.observed.startswith(words)


@pytest.mark.parametrize(
    ("percent", "verdict"), [(0, Verdict.PASS), (2, Verdict.PASS), (10, Verdict.WARN)]
)
def test_what_stays_free_is_no_room(percent: int, verdict: Verdict) -> None:
    grown = FolderGrowth(9, 1_000_000_000, 1.0, "sums")
    judged = judge_growth(grown, _disk(500, 100), int(_GB), 90, percent)
    assert judged.verdict is verdict


def test_a_week_without_recordings_is_no_growth() -> None:
    judged = judge_growth(FolderGrowth(0, 0, 1.0, "sums"), _disk(500, 100), int(_GB), 90)
    assert (judged.verdict, judged.observed) == (Verdict.PASS, "nothing was recorded in 7 days")


def test_growth_without_what_is_taken_is_not_judged() -> None:
    judged = judge_growth(FolderGrowth(1, 5, 1.0, "sums"), _disk(500, 100), None, 90)
    assert judged.verdict is Verdict.SKIP


@given(st.integers(1, 10**12), st.floats(0, 9e6))
def test_growth_is_never_told_over_less_than_a_day(octets: int, age: float) -> None:
    now = 1_795_000_000
    text = f"3 files, {octets} octets, the oldest of {now - age:.0f}\nnow {now}\n"
    found = parse_growth(text, 7)
    assert 1.0 <= found.days <= 7.0
    assert found.gb_a_day <= octets / 1e9


def test_sums_that_do_not_come_are_an_error() -> None:
    with pytest.raises(RuntimeError, match="can't be counted"):
        parse_growth("sh: awk: not found\nnow 1\n", 7)
