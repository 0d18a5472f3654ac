"""What to buy: enough for the plan that it is bought for, by server, with its reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sites import small_site
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.shopping import ServerToBuy, shopping_list
from ucontact_appliance.planning.shortfall import shortfalls
from ucontact_appliance.planning.topology import make_plan, site_for_agents

GIB, GB = 1024**3, 1000**3


def buy(agents: int) -> dict[str, ServerToBuy]:
    return {one.host: one for one in shopping_list(site_for_agents(agents))}


def test_a_small_site_takes_one_server_as_the_vendor_names_it() -> None:
    (one,) = shopping_list(site_for_agents(20))
    assert (one.server, one.host) == (1, "telephony")
    assert one.roles == (Role.TELEPHONY, Role.BACKEND, Role.DATABASE)
    assert (one.cores, one.memory_bytes, one.disk_bytes) == (2, 8 * GIB, 500 * GB)
    assert "60 recorded calls x 1.02 % of a core x 2 headroom" in one.because[0]
    assert "not measured: encryption of agents' media (DTLS-SRTP)" in one.note


def test_a_medium_site_by_hand() -> None:
    servers = buy(300)
    assert list(servers) == ["telephony", "backend"]
    telephony = servers["telephony"]
    assert telephony.cores == 13  # 600 calls x 1.0226 % x 2 = 12.3
    assert "extrapolated" in telephony.because[0]
    # 300 agents, 60 calls a day of 0.5 MB, 90 days: 810 GB; 7 GB of releases, a tenth free.
    assert telephony.disk_bytes == 910 * GB
    assert "the demand of these roles was not measured" in servers["backend"].because[0]
    assert "how fast the database grows was not measured" in servers["backend"].because[2]


def test_beyond_one_asterisk_the_list_says_that_no_server_carries_it() -> None:
    telephony = buy(3000)["telephony"]
    assert telephony.note.startswith("no server can carry this load: one Asterisk")
    assert "several telephony servers in one site are not supported" in telephony.note
    assert "beyond what one Asterisk is known to carry" in telephony.because[0]


def test_the_names_and_the_retention_are_the_sites_own() -> None:
    site = small_site(agents=29, recordings={"retention_days": 3650})
    (one,) = shopping_list(site)
    assert one.host == "one"
    assert one.disk_bytes > 3000 * GB


@pytest.mark.parametrize("agents", [1, 28, 30, 498, 500, 1000, 1001, 9999])
def test_more_agents_of_one_size_never_take_less(agents: int) -> None:
    less, more = buy(agents)["telephony"], buy(agents + 1)["telephony"]
    assert less.cores <= more.cores
    assert less.memory_bytes <= more.memory_bytes
    assert less.disk_bytes <= more.disk_bytes


@given(st.integers(1, 1000))
def test_what_was_bought_falls_short_of_nothing(agents: int) -> None:
    site = site_for_agents(agents)
    bought = {
        one.host: HostResources(
            memory_mb=one.memory_bytes // 1024**2,
            threads=one.cores,
            # df's megabytes, without the releases that lie there.
            free_mb=(one.disk_bytes - 7 * GB) // 1024**2,
            total_mb=one.disk_bytes // 1024**2,
        )
        for one in shopping_list(site)
    }
    assert shortfalls(site, make_plan(site, bought), bought) == ()
