"""R23 and R24 of measured paths."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ucontact_appliance.checks import path as checks
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.path import MeasuredPath
from ucontact_appliance.facts.path import Direction, Loss, PathQuality, loss
from ucontact_appliance.facts.throughput import Throughput
from ucontact_appliance.planning.tables import network

VOIP = network()["voip"]


def _way(lost: Loss | None = None, jitter_ms: float = 1.0) -> Direction:
    return Direction(lost or loss(0, 1500), jitter_ms, jitter_ms, 0, (46,))


GOOD = MeasuredPath(
    "desk",
    "tel",
    PathQuality(
        sent=1500, answered=1500, duplicates=0, refused=0, rate=50, dscp=46, loss=loss(0, 1500),
        fastest_ms=9.0, typical_ms=10.0, slow_ms=12.0, slowest_ms=20.0, out=_way(), back=_way(),
    ),
    Throughput(90_000.0, 80_000.0, 3),
)  # fmt: skip


def _with(**quality: object) -> MeasuredPath:
    return replace(GOOD, quality=replace(GOOD.quality, **quality))  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", ["voip", "video"])
@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        (GOOD, Verdict.PASS),
        (_with(typical_ms=90.0), Verdict.PASS),
        (_with(typical_ms=100.0), Verdict.FAIL),  # "below"
        (_with(typical_ms=110.0), Verdict.FAIL),
        (_with(out=_way(jitter_ms=18.0)), Verdict.PASS),
        (_with(out=_way(jitter_ms=22.0)), Verdict.FAIL),
        (_with(back=_way(jitter_ms=22.0)), Verdict.FAIL),
        (_with(out=_way(loss(9, 1000))), Verdict.PASS),
        (_with(out=_way(loss(11, 1000))), Verdict.FAIL),
        (_with(back=_way(loss(11, 1000))), Verdict.FAIL),
    ],
)
def test_each_limit_decides(path: MeasuredPath, verdict: Verdict, profile: str) -> None:
    assert checks.judge_profile(path, network()[profile]).verdict is verdict


def test_too_few_packets_are_told() -> None:
    few = _with(out=_way(loss(0, 100)), sent=100)
    assert "too few for a reliable loss figure" in checks.judge_profile(few, VOIP).observed
    assert "too few" not in checks.judge_profile(GOOD, VOIP).observed


def test_a_far_end_that_counts_nothing_is_judged_by_the_round_trip() -> None:
    silent = replace(_way(), loss=None)
    path = _with(out=silent, back=silent, loss=loss(30, 1500))
    judgement = checks.judge_profile(path, VOIP)
    assert judgement.verdict is Verdict.FAIL
    assert "loss round trip 2.00 %" in judgement.observed


def test_bandwidth_is_judged_for_the_calls_that_are_planned() -> None:
    assert checks.judge_bandwidth(GOOD, VOIP).observed.endswith("enough for 312 concurrent calls")
    assert checks.judge_bandwidth(replace(GOOD, calls=312), VOIP).verdict is Verdict.PASS
    assert checks.judge_bandwidth(replace(GOOD, calls=313), VOIP).verdict is Verdict.FAIL
    none = replace(GOOD, throughput=Throughput(None, None, 3, "refused"))
    assert checks.judge_bandwidth(none, VOIP).verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("out", "back", "verdict"),
    [
        ((46,), (46,), Verdict.PASS),
        ((0,), (46,), Verdict.WARN),
        ((46,), (0, 46), Verdict.WARN),
        ((), (46,), Verdict.SKIP),
        ((), (), Verdict.SKIP),
    ],
)
def test_a_lost_mark_is_a_warning(
    out: tuple[int, ...], back: tuple[int, ...], verdict: Verdict
) -> None:
    path = _with(out=replace(_way(), dscp=out), back=replace(_way(), dscp=back))
    assert checks.judge_marks(path).verdict is verdict


@pytest.mark.parametrize(
    ("trip", "lost", "verdict"),
    [(10.0, 0, Verdict.PASS), (10.0, 5, Verdict.WARN), (500.0, 25, Verdict.FAIL)],
)
def test_the_worse_direction_is_what_is_heard(trip: float, lost: int, verdict: Verdict) -> None:
    path = _with(typical_ms=trip, out=_way(loss(lost, 100)))
    assert checks.judge_sound(path).verdict is verdict


def test_order_and_copies_are_remarks() -> None:
    assert checks.judge_order(GOOD).verdict is Verdict.PASS
    assert checks.judge_order(_with(duplicates=2)).verdict is Verdict.WARN
    assert checks.judge_order(_with(back=replace(_way(), reordered=1))).verdict is Verdict.WARN


def test_findings_name_both_ends_and_remedies_only_where_something_is_wrong() -> None:
    found = checks.findings(_with(typical_ms=150.0), 36.0)
    assert {finding.host for finding in found} == {"desk -> tel"}
    by_id = {finding.id: finding for finding in found}
    assert by_id["path.voip"].remedy.startswith("ucontact doctor network --to tel")
    assert by_id["path.marks"].remedy == ""
    assert len(by_id) == len(found) == 7
