"""How long answers usually take."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.facts.pace import usual, usual_seconds


@given(st.lists(st.floats(0, 9), min_size=3, max_size=3))
def test_one_slow_answer_by_chance_is_not_what_is_usual(took: list[float]) -> None:
    answers = iter(took)
    found = usual(lambda: next(answers), float, 2.0)
    if took[0] <= 2:
        assert found == took[0]  # asked once
    else:
        assert found == sorted(took)[1]


def test_what_comes_of_asking_does_not_count() -> None:
    def refused() -> None:
        time.sleep(0.02)
        raise ConnectionRefusedError

    assert 0.02 <= usual_seconds(refused) < 5


def test_one_quick_answer_is_not_what_is_usual_either() -> None:
    naps = iter([0.0, 0.05, 0.05])
    assert usual_seconds(lambda: time.sleep(next(naps))) >= 0.05
