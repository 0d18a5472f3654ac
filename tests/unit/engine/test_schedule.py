"""Phases side by side: never two on one server, never one before what it builds on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.engine.schedule import Turn, startable

EVERYWHERE = frozenset({"one", "two", "three"})
BIG = (
    Turn("base", EVERYWHERE),
    Turn("database", frozenset({"three"})),
    Turn("stun", frozenset({"one"})),
    Turn("telephony", frozenset({"one"}), after=("database",)),
    Turn("backend", frozenset({"two"}), after=("database",)),
    Turn("web", frozenset({"two"})),
    Turn("verify", EVERYWHERE),
)


@st.composite
def lists(draw: st.DrawFn) -> tuple[Turn, ...]:
    servers = st.frozensets(st.sampled_from(sorted(EVERYWHERE)), min_size=1)
    names = [f"phase-{number}" for number in range(draw(st.integers(1, 8)))]
    return tuple(
        Turn(name, draw(servers), tuple(draw(st.sets(st.sampled_from(names[:place])))))
        if (place := names.index(name))
        else Turn(name, draw(servers))
        for name in names
    )


def test_three_servers_are_worked_on_at_once() -> None:
    assert startable(BIG, (), ()) == ("base",)
    assert startable(BIG, {"base"}, ()) == ("database", "stun")
    assert startable(BIG, {"base", "stun"}, {"database"}) == ()
    assert startable(BIG, {"base", "stun", "database"}, ()) == ("telephony", "backend")
    done = {"base", "stun", "database", "backend"}
    assert startable(BIG, done, {"telephony"}) == ("web",)


def test_one_server_takes_them_in_order() -> None:
    small = [Turn(turn.id, frozenset({"one"}), turn.after) for turn in BIG]
    done: list[str] = []
    while found := startable(small, done, ()):
        assert len(found) == 1
        done += found
    assert done == [turn.id for turn in small]


@given(lists(), st.randoms())
def test_whatever_the_order_of_ends_all_run_and_none_meets_another(
    turns: tuple[Turn, ...], random: object
) -> None:
    by_id = {turn.id: turn for turn in turns}
    done: list[str] = []
    running: list[str] = []
    while True:
        for name in startable(turns, done, running):
            assert set(by_id[name].after) <= set(done)
            running.append(name)
        busy = [server for name in running for server in by_id[name].servers]
        assert len(busy) == len(set(busy))
        if not running:
            break
        done.append(running.pop(random.randrange(len(running))))  # type: ignore[attr-defined]
    assert sorted(done) == sorted(by_id)
