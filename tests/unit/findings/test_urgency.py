"""Which checks a run begins with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.findings.urgency import urgency


def test_the_head_of_the_longest_chain_is_the_most_urgent() -> None:
    needs = {"leaf": ["host"], "site": ["nginx"], "nginx": ["host"], "page": ["site"], "host": []}
    found = urgency(needs, dict.fromkeys(needs, 1.0))
    assert found == {"host": 4, "nginx": 3, "site": 2, "page": 1, "leaf": 1}


def test_a_chain_is_as_long_as_it_takes() -> None:
    needs: dict[str, list[str]] = {"knock": [], "page": ["nginx"], "nginx": []}
    found = urgency(needs, {"knock": 2.0, "page": 0.5, "nginx": 0.5})
    assert max(found, key=lambda task: found[task]) == "knock"


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="depend on each other in a cycle"):
        urgency({"a": ["b"], "b": ["a"]}, {"a": 1.0, "b": 1.0})


# A task may need those before it: no circle can come of that. Whole seconds add up exactly.
_TASKS = st.lists(st.tuples(st.frozensets(st.integers(0, 19)), st.integers(1, 9)), max_size=20).map(
    lambda rows: (
        {n: [need for need in row if need < n] for n, (row, _) in enumerate(rows)},
        {n: float(seconds) for n, (_, seconds) in enumerate(rows)},
    )
)


@given(_TASKS)
def test_a_task_is_as_urgent_as_itself_and_its_most_urgent_follower(
    tasks: tuple[dict[int, list[int]], dict[int, float]],
) -> None:
    needs, takes = tasks
    found = urgency(needs, takes)
    assert found.keys() == needs.keys()
    for task in needs:
        followers = [found[other] for other, row in needs.items() if task in row]
        assert found[task] == takes[task] + max(followers, default=0.0)
