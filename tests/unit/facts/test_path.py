"""From the packets of a session to its figures."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.path import (
    PROBE,
    AnsweredPacket,
    jitter,
    loss,
    parse_session,
    quality,
    reordered,
)
from ucontact_appliance.facts.throughput import parse_iperf

MS = 10**6
TIMES = st.integers(10**18, 2 * 10**18)
DSCPS = st.integers(0, 63)
OCTETS = st.integers(0, 255)


@pytest.fixture(scope="module")
def stamp() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stamp", PROBE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _rows(numbers: list[int], *, out_ms: float = 10, back_ms: float = 5, counts: bool = True):  # type: ignore[no-untyped-def]
    """Answers to those packets, 20 ms apart; the far end takes 3 ms for itself."""
    for there, number in enumerate(numbers):
        sent = number * 20 * MS
        came = sent + int(out_ms * MS)
        back = came + 3 * MS
        yield AnsweredPacket(
            number,
            sent,
            came,
            back,
            back + int(back_ms * MS),
            there if counts else number,
            46,
            0,
            64,
        )


@given(TIMES)
def test_a_time_survives_ntps_form_to_a_nanosecond(stamp: ModuleType, time: int) -> None:
    assert abs(stamp.from_ntp(stamp.to_ntp(time)) - time) <= 1


@given(st.integers(0, 2**32 - 1), st.tuples(TIMES, TIMES), DSCPS, st.tuples(OCTETS, OCTETS))
def test_an_answer_brings_back_what_was_sent_and_tells_the_mark(
    stamp: ModuleType, number: int, times: tuple[int, int], dscp: int, seen: tuple[int, int]
) -> None:
    (sent, came), (tos, ttl) = times, seen
    asked = stamp.request(number, sent, dscp)
    assert len(asked) == 52  # 44, and the Class of Service TLV
    assert stamp.asked_dscp(asked) == dscp
    row = AnsweredPacket(*stamp.reading(stamp.answer(asked, 7, came, tos, ttl), 123, 0xB8))
    assert (row.sequence, row.sequence_there, row.arrived) == (number, 7, 123)
    assert abs(row.sent - sent) <= 1
    assert abs(row.received_there - came) <= 1
    assert (row.dscp_there, row.dscp_here, row.ttl_there) == (tos >> 2, 46, ttl)


def test_a_far_end_that_knows_no_tlv_tells_no_mark(stamp: ModuleType) -> None:
    asked = stamp.request(1, 10**18, 46)
    answered = stamp.answer(asked[:44], 0, 10**18, 0, 64)
    assert len(answered) == 44
    assert AnsweredPacket(*stamp.reading(answered, 0, None)).dscp_there is None
    # TWAMP Light answers with 41 octets, and may send the TLV back as it came.
    assert AnsweredPacket(*stamp.reading(answered[:41], 0, None)).dscp_there is None
    assert stamp.told_dscp(asked) is None
    assert stamp.reading(answered[:40], 0, None) is None


@given(st.binary(max_size=200))
def test_no_packet_whatever_breaks_either_end(stamp: ModuleType, data: bytes) -> None:
    stamp.answer(data, 0, 10**18, 0, 64)
    stamp.asked_dscp(data)
    stamp.reading(data, 0, 0)


def test_a_round_trip_is_without_the_far_ends_own_time() -> None:
    found = quality(list(_rows([1, 2, 3])), 3, 0, 50, 46)
    assert (found.fastest_ms, found.typical_ms, found.slowest_ms) == (15.0, 15.0, 15.0)
    assert found.one_way_ms == 7.5
    assert (found.out.dscp, found.back.dscp) == ((46,), (0,))


def test_losses_are_told_apart_by_a_far_end_that_counts() -> None:
    # 2 is lost on the way there; the answer to 4 on the way back.
    there = list(_rows([1, 3, 4, 5]))
    found = quality([row for row in there if row.sequence != 4], 5, 0, 50, 46)
    assert found.out.loss is not None
    assert found.back.loss is not None
    assert (found.out.loss.lost, found.out.loss.of) == (1, 5)
    assert (found.back.loss.lost, found.back.loss.of) == (1, 4)
    assert found.loss.lost == 2


def test_a_far_end_that_copies_numbers_tells_the_round_trips_loss_only() -> None:
    found = quality(list(_rows([1, 2, 5], counts=False)), 5, 0, 50, 46)
    assert (found.out.loss, found.back.loss) == (None, None)
    assert (found.loss.lost, found.loss.of) == (2, 5)


def test_what_came_twice_there_hides_no_loss_there() -> None:
    # 2 came twice, and was answered twice; 4 is lost on the way there.
    answers = list(_rows([1, 2, 2, 3, 5]))
    found = quality(answers, 5, 0, 50, 46)
    assert found.out.loss is not None
    assert found.back.loss is not None
    assert (found.out.loss.lost, found.back.loss.lost) == (1, 0)
    assert found.duplicates == 1


def test_a_far_end_that_goes_on_counting_an_older_session_tells_no_directions() -> None:
    rows = [row._replace(sequence_there=row.sequence_there + 40) for row in _rows([1, 2, 3])]
    found = quality(rows, 3, 0, 50, 46)
    assert (found.out.loss, found.back.loss) == (None, None)
    assert found.loss.lost == 0


def test_what_comes_twice_counts_once() -> None:
    rows = list(_rows([1, 2, 3]))
    found = quality([*rows, rows[1]], 3, 0, 50, 46)
    assert (found.answered, found.duplicates, found.loss.lost) == (3, 1, 0)


def test_jitter_is_the_filter_of_the_standard() -> None:
    # Transit times 0, 16, 0 ms: differences of 16 ms; J = J + (16 - J) / 16.
    times = [(0, 0), (20 * MS, 36 * MS), (40 * MS, 40 * MS)]
    assert jitter(times) == [1.0, 1.9375]


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 50 * MS), min_size=2, max_size=50))
def test_jitter_does_not_care_for_the_clocks(offset: int, delays: list[int]) -> None:
    times = [(n * 20 * MS, n * 20 * MS + delay) for n, delay in enumerate(delays)]
    shifted = [(sent, came + offset) for sent, came in times]
    assert jitter(shifted) == jitter(times)


@pytest.mark.parametrize(
    ("order", "count"),
    [([], 0), ([1, 2, 3], 0), ([1, 3, 2, 4], 1), ([4, 1, 2, 3], 3), ([1, 5, 2, 6], 1)],
)
def test_reordering_is_counted_as_rfc_4737_has_it(order: list[int], count: int) -> None:
    assert reordered(order) == count


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_loss_lies_within_its_bounds(of: int, share: float) -> None:
    found = loss(int(share * of), of)
    assert 0 <= found.least <= found.percent + 1e-9
    assert found.percent - 1e-9 <= found.most <= 100


def test_the_bounds_hold_the_true_loss_nineteen_times_of_twenty() -> None:
    dice = random.Random(862)
    runs = [loss(sum(dice.random() < 0.01 for _ in range(1500)), 1500) for _ in range(400)]
    held = sum(run.least <= 1.0 <= run.most for run in runs)
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize(("refused", "why"), [(0, "none answered"), (3, "the port is closed")])
def test_nobody_at_the_far_end_is_an_error_with_a_way_out(refused: int, why: str) -> None:
    told = {"sent": 50, "rate": 50, "dscp": 46, "refused": refused, "rows": []}
    with pytest.raises(UnreachableError) as caught:
        parse_session(json.dumps(told), "192.0.2.9", 862)
    assert why in caught.value.evidence
    assert caught.value.helps.startswith("on 192.0.2.9: ucontact doctor network --reflect")


def test_iperf_is_read_from_its_json() -> None:
    told = {"end": {"sum_received": {"bits_per_second": 94_120_000.5}}}
    assert parse_iperf(json.dumps(told)) == (94120.0005, "")
    refused = '{"error": "unable to connect to server - Connection refused"}'
    assert parse_iperf(refused) == (None, "unable to connect to server - Connection refused")
    assert parse_iperf("Killed") == (None, "iperf3 said: Killed")


def test_what_the_system_refuses_is_told_in_a_line() -> None:
    words = [sys.executable, str(PROBE), "reflect", "192.0.2.77", "862", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == "Cannot assign requested address\n"
