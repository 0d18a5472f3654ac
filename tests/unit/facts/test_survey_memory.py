"""Nominal memory: what MemTotal says against what was bought."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.facts.survey import nominal_mb

_GIB = 1024 * 1024


@pytest.mark.parametrize(
    ("gib", "bought"),
    [
        (0.46, 0.5), (0.95, 1), (1.94, 2), (3.82, 4), (5.79, 6), (7.6, 8), (7.76, 8), (9.7, 10),
        (11.67, 12), (15.5, 16), (15.6, 16), (23.54, 24), (31.1, 32), (46.9, 48), (48.8, 50),
        (62.7, 64), (94.2, 96), (125.6, 128), (251.5, 256), (503.6, 512), (8, 8), (16, 16),
    ],
)  # fmt: skip
def test_nominal_memory_is_what_was_bought(gib: float, bought: float) -> None:
    assert nominal_mb(int(gib * _GIB)) == bought * 1024


@given(st.integers(min_value=64 * 1024, max_value=4 * 1024 * _GIB))
def test_nominal_memory_is_never_less_nor_much_more(kilobytes: int) -> None:
    nominal = nominal_mb(kilobytes) * 1024
    assert kilobytes <= nominal <= max(kilobytes / 0.94 + 1, kilobytes + 512 * 1024)
