"""What servers can't carry, by how much, and the ways out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sites import small_site
from ucontact_appliance.planning.demand import memory_needed_mb
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.shortfall import Shortfall, ShortfallSeverity, shortfalls
from ucontact_appliance.planning.topology import make_plan, site_for_agents

ENOUGH = HostResources(memory_mb=65536, threads=64, free_mb=100_000_000, total_mb=100_000_000)


def found(agents: int, resources: HostResources) -> dict[str, Shortfall]:
    site = site_for_agents(agents)
    known = {host.name: resources for host in site.hosts}
    return {short.id: short for short in shortfalls(site, make_plan(site, known), known)}


@pytest.mark.parametrize("agents", [1, 29, 30, 499, 500, 501])
def test_large_servers_are_short_of_nothing(agents: int) -> None:
    assert found(agents, ENOUGH) == {}


def test_nothing_is_said_of_servers_that_nobody_looked_at() -> None:
    assert found(29, HostResources()) == {}


def test_too_little_memory_refuses_and_tells_how_much_is_missing() -> None:
    short = found(10, HostResources(memory_mb=1024))["memory"]
    assert short.weight is ShortfallSeverity.REFUSES
    plan = make_plan(small_site(), {"one": HostResources(memory_mb=1024)})
    needed = memory_needed_mb(plan.tuning, plan.hosts[0].roles)
    assert short.needed == f"{needed} MB"
    assert f"{needed - 1024} MB more" in short.ways_out[0]
    assert "plan for 30 agents" in short.ways_out[1]


def test_two_cores_carry_97_recorded_calls() -> None:
    short = found(100, HostResources(threads=2))["processor"]
    assert short.weight is ShortfallSeverity.WARNS
    assert "carries 97 recorded calls" in short.what  # 2 / (0.01023 x 2)
    assert short.needed == "4.1 cores"
    assert "5 cores" in short.ways_out[0]
    assert "plan for 48 agents" in short.ways_out[1]


def test_a_small_disk_tells_its_last_day() -> None:
    # 10 agents: 600 calls of 5 min at 0.5 MB, 300 MB a day; 30 GiB are 32212 MB of R25's.
    short = found(10, HostResources(free_mb=25 * 1024, total_mb=30 * 1024))["disk"]
    assert "full after 89 days" in short.what
    assert short.needed == "27.0 GB free on /var"
    assert "keep recordings for 89 days" in short.ways_out[1]


def test_five_thousand_agents_are_planned_with_their_limits_told() -> None:
    short = found(5000, ENOUGH)
    assert set(short) == {"asterisk", "processor", "rtp", "relays"}
    assert all(one.weight is ShortfallSeverity.WARNS for one in short.values())
    assert "9788 bridged calls" in short["rtp"].what  # (49151 - 10000 + 1) / 4
    assert "4096 agents" in short["relays"].what  # (65535 - 49152 + 1) / 4


@pytest.mark.parametrize("resources", [HostResources(), ENOUGH])
def test_more_calls_than_one_asterisk_carries_are_told_even_before_there_is_a_server(
    resources: HostResources,
) -> None:
    assert "asterisk" not in found(1000, resources)
    short = found(1001, resources)["asterisk"]
    assert short.weight is ShortfallSeverity.WARNS  # preflight fails by it, with the plan in sight
    assert short.needed == "2002 calls"
    assert short.there == "2000 calls (400 were measured)"
    assert "plan for 1000 agents" in short.ways_out[0]
    assert "split it into 2 sites" in short.ways_out[1]
    assert "several telephony servers in one site" in short.ways_out[2]
    assert "split it into 3 sites" in found(3000, resources)["asterisk"].ways_out[1]


@given(st.integers(1, 10000), st.integers(512, 131072), st.integers(1, 64), st.integers(0, 10**7))
def test_each_shortfall_has_three_different_ways_out(
    agents: int, memory: int, threads: int, free: int
) -> None:
    for short in found(agents, HostResources(memory, threads, free, free)).values():
        assert len(set(short.ways_out)) == 3
        assert all(short.ways_out)


@given(st.integers(1, 9999), st.integers(1, 64))
def test_more_agents_never_need_less(agents: int, threads: int) -> None:
    resources = HostResources(memory_mb=65536, threads=threads, free_mb=1000, total_mb=1000)
    assert set(found(agents, resources)) - {"memory"} <= set(found(agents + 1, resources))
