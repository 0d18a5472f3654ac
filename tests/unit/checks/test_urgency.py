"""Which checks a run begins with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.checks.urgency import urgency


def test_the_head_of_the_longest_chain_is_the_most_urgent() -> None:
    needs = {"leaf": ["host"], "site": ["nginx"], "nginx": ["host"], "page": ["site"], "host": []}
    assert urgency(needs) == {"host": 3, "nginx": 2, "site": 1, "page": 0, "leaf": 0}


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        urgency({"a": ["b"], "b": ["a"]})


# A task may need those before it: no circle can come of that.
_NEEDS = st.lists(st.frozensets(st.integers(0, 19)), max_size=20).map(
    lambda rows: {
        number: [need for need in row if need < number] for number, row in enumerate(rows)
    }
)


@given(_NEEDS)
def test_every_task_is_less_urgent_than_what_it_waits_for(needs: dict[int, list[int]]) -> None:
    levels = urgency(needs)
    assert levels.keys() == needs.keys()
    for task, row in needs.items():
        for need in row:
            assert levels[need] > levels[task]
    # And none is more urgent than its longest chain makes it.
    for task, level in levels.items():
        followers = [levels[other] for other, row in needs.items() if task in row]
        assert level == max((one + 1 for one in followers), default=0)
