from dataclasses import replace

import pytest

from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.checks.storage import (
    judge_inodes,
    judge_kills,
    judge_memory,
    judge_recordings,
    judge_room,
    judge_size,
    judge_space,
    judge_writable,
)
from ucontact_appliance.facts.storage import (
    FileSystem,
    Memory,
    parse_file_system,
    parse_memory,
    parse_taken,
)
from ucontact_appliance.planning.topology import make_plan

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
        (500, 30, 50, Verdict.PASS),  # a site in service: most of it is recorded already
        (500, 30, 40, Verdict.WARN),  # the rest of a large disk is somebody else's
        (100, 77, 0, Verdict.WARN),
        (10, 10, 0, Verdict.WARN),
    ],
)
def test_recordings_of_the_whole_retention(
    size: float, free: float, recorded_gb: float, verdict: Verdict
) -> None:
    plan = make_plan(small_site(agents=29), {})  # 78.3 GB for 90 days
    judged = judge_recordings(_disk(size, free), int(recorded_gb * _GB), plan)
    assert judged.verdict is verdict
    assert "GB for recordings" in judged.required
    assert f"recordings take {recorded_gb:.1f} GB" in judged.observed


def test_recordings_that_cannot_be_measured_are_no_pass() -> None:
    plan = make_plan(small_site(), {})
    assert judge_recordings(_disk(500, 500), None, plan).verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("text", "taken"),
    [("1234\t/var/spool/asterisk/monitor\n", 1234), ("", None), ("du: no\n", None)],
)
def test_what_du_says(text: str, taken: int | None) -> None:
    assert parse_taken(text) == taken


def _memory(available_percent: float) -> Memory:
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
