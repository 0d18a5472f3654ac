"""Phases side by side: never beside one that must be alone, never before what they build on."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.install.schedule import ScheduledPhase, startable

EVERYWHERE = frozenset({"one", "two", "three"})
BIG = (
    ScheduledPhase("base", EVERYWHERE),
    ScheduledPhase("database", frozenset({"three"}), alone=False),
    ScheduledPhase("stun", frozenset({"one"}), alone=False),
    ScheduledPhase("telephony", frozenset({"one"}), after=("database",), alone=False),
    ScheduledPhase("backend", frozenset({"two"}), after=("database",), alone=False),
    ScheduledPhase("web", frozenset({"two"}), after=("backend",), alone=False),
    ScheduledPhase("verify", EVERYWHERE),
)
SMALL = tuple(replace(turn, servers=frozenset({"one"})) for turn in BIG)


@st.composite
def lists(draw: st.DrawFn) -> tuple[ScheduledPhase, ...]:
    servers = st.frozensets(st.sampled_from(sorted(EVERYWHERE)), min_size=1)
    names = [f"phase-{number}" for number in range(draw(st.integers(1, 8)))]
    return tuple(
        ScheduledPhase(
            name,
            draw(servers),
            tuple(draw(st.sets(st.sampled_from(names[:place])))) if place else (),
            alone=draw(st.booleans()),
        )
        for place, name in enumerate(names)
    )


def test_three_servers_are_worked_on_at_once() -> None:
    assert startable(BIG, (), ()) == ("base",)
    assert startable(BIG, {"base"}, ()) == ("database", "stun")
    assert startable(BIG, {"base", "stun"}, {"database"}) == ()
    assert startable(BIG, {"base", "database"}, {"stun"}) == ("telephony", "backend")
    done = {"base", "stun", "database", "backend"}
    assert startable(BIG, done, {"telephony"}) == ("web",)
    assert startable(BIG, {*done, "web"}, {"telephony"}) == ()


def test_one_server_takes_services_at_once_and_the_rest_alone() -> None:
    assert startable(SMALL, (), ()) == ("base",)
    assert startable(SMALL, {"base"}, ()) == ("database", "stun")
    assert startable(SMALL, {"base", "database"}, {"stun"}) == ("telephony", "backend")
    done = {"base", "stun", "database", "backend", "telephony"}
    assert startable(SMALL, done, {"web"}) == ()
    assert startable(SMALL, {*done, "web"}, ()) == ("verify",)


def test_phases_that_must_be_alone_run_in_order() -> None:
    alone = [replace(turn, alone=True) for turn in SMALL]
    done: list[str] = []
    while found := startable(alone, done, ()):
        assert len(found) == 1
        done += found
    assert done == [turn.id for turn in alone]


@given(lists(), st.randoms())
def test_whatever_the_order_of_ends_all_run_and_none_meets_another(
    turns: tuple[ScheduledPhase, ...], random: object
) -> None:
    by_id = {turn.id: turn for turn in turns}
    done: list[str] = []
    running: list[str] = []
    while True:
        for name in startable(turns, done, running):
            assert set(by_id[name].after) <= set(done)
            running.append(name)
        for one, other in combinations((by_id[name] for name in running), 2):
            assert not one.servers & other.servers or not (one.alone or other.alone)
        if not running:
            break
        done.append(running.pop(random.randrange(len(running))))  # type: ignore[attr-defined]
    assert sorted(done) == sorted(by_id)
