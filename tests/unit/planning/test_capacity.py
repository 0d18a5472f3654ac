"""Measured capacity: figures by hand, and what must hold for any machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.measurements import TRANSLATIONS, a_measurement
from tests.unit.sites import plan_for_agents
from ucontact_appliance.planning.capacity import (
    CallCapacity,
    capacity,
    cores,
    speed,
    spread,
    uncertainty,
)
from ucontact_appliance.planning.capacity_model import (
    EstimateBasis,
    Measurement,
    basis,
    table,
    telephony_server,
)
from ucontact_appliance.planning.model import Plan, TelephonyTuning

KINDS = {kind.id: kind for kind in table().kinds}
BIG = plan_for_agents(600)
SMALL = plan_for_agents(10)


def carried(measured: Measurement, plan: Plan = BIG) -> dict[str, CallCapacity]:
    return {row.kind: row for row in capacity(measured, plan).carried}


def tuned(**changes: int) -> Plan:
    telephony = TelephonyTuning(**BIG.tuning.telephony.model_dump() | changes)
    return BIG.model_copy(update={"tuning": BIG.tuning.model_copy(update={"telephony": telephony})})


def test_the_reference_machine_by_hand() -> None:
    found = carried(a_measurement())
    plain = KINDS["plain"].base_percent
    assert found["plain"].percent.likely == pytest.approx(plain)
    # 2 cores, 30 % kept free on a host that carries telephony alone.
    assert found["plain"].processor.likely == int(140 / plain)
    opus = KINDS["opus"].base_percent + (1300 + 3800 + 8 + 9) / 10_000
    assert found["opus"].percent.likely == pytest.approx(opus)
    recorded = KINDS["recorded"].base_percent + (2 * 8 + 560) / 10_000
    assert found["recorded"].percent.likely == pytest.approx(recorded)
    assert "30% kept free" in found["plain"].because


def test_a_shared_server_keeps_more_free() -> None:
    shared = capacity(a_measurement(host=SMALL.hosts[0].name), SMALL)
    alone = capacity(a_measurement(), BIG)
    assert (shared.kept_free, alone.kept_free) == (0.5, 0.3)


def test_a_machine_half_as_fast_carries_half() -> None:
    reference = table().reference
    slow = a_measurement(
        relay_us=(reference.relay_us * 2,) * 4,
        compute_ms=(reference.compute_ms * 2,) * 4,
        translations_us={k: tuple(2 * v for v in vs) for k, vs in TRANSLATIONS.items()},
    )
    assert speed(slow) == pytest.approx(2)
    for kind, row in carried(slow).items():
        assert row.percent.likely == pytest.approx(
            2 * carried(a_measurement())[kind].percent.likely
        )


def test_translations_that_are_not_timed_are_estimated_and_less_certain() -> None:
    reference = table().reference
    costs = reference.translations_us
    twice = (reference.compute_ms * 2,)
    guessed = a_measurement(translations_us={}, untimed=tuple(costs), compute_ms=twice)
    told = a_measurement(
        translations_us={pair: (2 * us,) for pair, us in costs.items()}, compute_ms=twice
    )
    for kind, row in carried(guessed).items():
        assert row.percent.likely == pytest.approx(carried(told)[kind].percent.likely)
        assert row.calls.low < carried(told)[kind].calls.low


def test_a_second_thread_is_no_core() -> None:
    assert cores(a_measurement(cores=4, threads=8)) == 4 + 4 * table().second_thread


def test_without_opus_there_are_no_opus_calls() -> None:
    costs = {pair: cost for pair, cost in TRANSLATIONS.items() if "opus" not in pair}
    found = capacity(a_measurement(translations_us=costs), BIG)
    assert {row.kind for row in found.carried} == {"plain", "recorded"}
    assert found.missing == (KINDS["opus"].title, KINDS["opus_recorded"].title)


@pytest.mark.parametrize(
    ("plan", "measured", "kind", "binding", "calls"),
    [
        (tuned(max_calls=7), {}, "plain", "maxcalls", 7),
        # 21 idle, 100 WebSockets, then 10 a call, and 11 with its recording's file.
        (
            tuned(file_descriptors=621, session_limit=100),
            {},
            "plain",
            "file descriptors",
            50,
        ),
        (
            tuned(file_descriptors=671, session_limit=100),
            {},
            "recorded",
            "file descriptors",
            50,
        ),
        (tuned(session_limit=9), {}, "plain", "sessionlimit", 9),
        (tuned(rtp_start=10000, rtp_end=10087), {}, "plain", "RTP ports", 11),
        (BIG, {"disk": {"mb_per_second": 0.0165, "fsync_p99_ms": 9}}, "recorded", "disk", 5),
        (BIG, {}, "recorded", "processor", None),
    ],
)
def test_what_binds_is_named(
    plan: Plan, measured: dict[str, object], kind: str, binding: str, calls: int | None
) -> None:
    row = carried(a_measurement(**measured), plan)[kind]
    assert row.binding == binding
    assert row.calls.likely == (row.processor.likely if calls is None else calls)
    if calls is not None:
        assert f"limited by {binding}" in row.because


def test_a_call_that_is_not_recorded_does_not_wait_for_the_disk() -> None:
    slow = a_measurement(disk={"mb_per_second": 0.0, "fsync_p99_ms": 9})
    assert carried(slow)["recorded"].calls.likely == 0
    assert carried(slow)["plain"].calls.likely > 0


def test_uncertainty_is_the_models_and_the_machines() -> None:
    assert uncertainty(a_measurement()) == pytest.approx(table().model_error)
    wild = a_measurement(relay_us=(10.0, 20.0, 40.0, 80.0))
    assert table().model_error < uncertainty(wild) <= table().most_error


@pytest.mark.parametrize(
    ("calls", "known"),
    [
        (400, EstimateBasis.MEASURED),
        (401, EstimateBasis.EXTRAPOLATED),
        (2000, EstimateBasis.EXTRAPOLATED),
        (2001, EstimateBasis.BEYOND),
    ],
)
def test_it_is_told_by_what_a_number_of_calls_is_known(calls: int, known: EstimateBasis) -> None:
    assert basis(calls) is known
    assert "DTLS-SRTP" in telephony_server().unmeasured
    assert "more than 400 simultaneous calls" in telephony_server().unmeasured


def test_spread() -> None:
    assert spread((5.0,)) == 0.0
    assert spread((8.0, 9.0, 10.0, 11.0, 12.0)) == pytest.approx(0.1)


_POSITIVE = st.floats(0.1, 1e4)


@given(
    relay=st.lists(_POSITIVE, min_size=1, max_size=9),
    compute=st.lists(_POSITIVE, min_size=1, max_size=9),
    codec=st.lists(st.floats(0, 1e6), min_size=1, max_size=5),
    threads=st.integers(1, 256),
    disk=st.floats(0, 1e5),
    agents=st.integers(1, 10_000),
)
def test_for_any_machine(  # noqa: PLR0917
    relay: list[float],
    compute: list[float],
    codec: list[float],
    threads: int,
    disk: float,
    agents: int,
) -> None:
    plan = plan_for_agents(agents)
    measured = a_measurement(
        host=plan.hosts[0].name,
        relay_us=tuple(relay),
        compute_ms=tuple(compute),
        cores=threads,
        threads=threads,
        translations_us=dict.fromkeys(TRANSLATIONS, tuple(codec)),
        disk={"mb_per_second": disk, "fsync_p99_ms": 1.0},
    )
    found = capacity(measured, plan)
    by_kind = {row.kind: row for row in found.carried}
    assert set(by_kind) == set(KINDS)
    for row in found.carried:
        assert 0 <= row.calls.low <= row.calls.likely <= row.calls.high
        assert row.calls.high <= min(limit.calls for limit in row.limits)
        assert row.percent.low <= row.percent.likely <= row.percent.high
        # What it promises, it keeps: likely calls fit in the share that is not kept free.
        used = row.calls.likely * row.percent.likely
        assert used <= found.cores * (1 - found.kept_free) * 100 * (1 + 1e-9)
    assert by_kind["plain"].percent.likely <= by_kind["recorded"].percent.likely
    assert by_kind["opus"].percent.likely <= by_kind["opus_recorded"].percent.likely


def test_each_translation_of_a_kind_has_a_reference() -> None:
    pairs = {pair for kind in table().kinds for pair in kind.translations}
    assert pairs == set(table().reference.translations_us)


def test_the_table_names_each_kind_once() -> None:
    assert len(KINDS) == len(table().kinds)
    for kind in table().kinds:
        assert all(len(pair.split(">")) == 2 for pair in kind.translations)
