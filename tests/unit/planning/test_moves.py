"""What has to follow its role to another server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sites import small_site
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import DataLocation, DataMove, carrier, moves_for
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site

_NAMES = ("one", "two", "three")


def site_of(agents: int, addresses: tuple[str, ...], names: tuple[str, ...] = _NAMES) -> Site:
    hosts = [
        {"name": name, "address": address} for name, address in zip(names, addresses, strict=False)
    ]
    return small_site(agents=agents, hosts=hosts)


SMALL = site_of(10, ("192.0.2.1",))
MEDIUM = site_of(100, ("192.0.2.1", "192.0.2.2"))
BIG = site_of(600, ("192.0.2.1", "192.0.2.2", "192.0.2.3"))


def machines(site: Site) -> dict[str, str]:
    """Each address is a machine of its own here."""
    return {host.name: f"machine of {host.address}" for host in site.hosts}


def places(site: Site) -> dict[Role, DataLocation]:
    plan = make_plan(site, {})
    hosts = {role: carrier(site, plan, role) for role in Role}
    return {role: DataLocation(host, machines(site)[host.name]) for role, host in hosts.items()}


def moves(old: Site, new: Site) -> tuple[DataMove, ...]:
    return moves_for(new, make_plan(new, {}), places(old), machines(new))


def moved(old: Site, new: Site) -> list[tuple[str, str, str]]:
    return [(move.role.value, move.source.name, move.target.name) for move in moves(old, new)]


def test_nothing_moves_into_a_site_that_was_never_installed() -> None:
    assert moves_for(BIG, make_plan(BIG, {}), {}, machines(BIG)) == ()


def test_growing_from_small_to_medium_moves_backend_and_database() -> None:
    assert moved(SMALL, MEDIUM) == [("backend", "one", "two"), ("database", "one", "two")]


def test_growing_from_medium_to_big_moves_the_database_alone() -> None:
    assert moved(MEDIUM, BIG) == [("database", "two", "three")]


def test_a_server_under_a_new_name_or_address_is_the_same_server() -> None:
    renamed = site_of(10, ("192.0.2.77",), ("other",))
    same = {"other": machines(SMALL)["one"]}
    assert moves_for(renamed, make_plan(renamed, {}), places(SMALL), same) == ()


def test_a_server_installed_anew_in_its_place_has_nothing_to_move() -> None:
    anew = {"one": "another machine"}
    assert moves_for(SMALL, make_plan(SMALL, {}), places(SMALL), anew) == ()


def test_a_replaced_telephony_server_takes_the_recordings_along() -> None:
    assert moved(MEDIUM, site_of(100, ("192.0.2.9", "192.0.2.2"))) == [("telephony", "one", "one")]


@given(st.sampled_from([SMALL, MEDIUM, BIG]), st.sampled_from([SMALL, MEDIUM, BIG]))
def test_after_its_moves_each_role_is_where_the_plan_wants_it(old: Site, new: Site) -> None:
    where = {role: place.host.address for role, place in places(old).items()}
    where |= {move.role: move.target.address for move in moves(old, new)}
    assert where == {role: place.host.address for role, place in places(new).items()}
