"""The one port registry, resolved for a host."""

from __future__ import annotations

from tests.unit.sites import small_site
from ucontact_appliance.planning.component_tables import ports
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site


def medium_site() -> Site:
    return small_site(
        agents=100,
        hosts=[{"name": "tel", "address": "192.0.2.1"}, {"name": "back", "address": "192.0.2.2"}],
        network={"agents": ["198.51.100.0/24"], "admins": ["203.0.113.5/32"]},
    )


def test_ids_are_unique_and_every_row_names_a_requirement() -> None:
    rows = ports()
    assert len({row.id for row in rows}) == len(rows)
    assert all(row.requirements for row in rows)


def test_a_small_site_has_the_whole_registry_on_its_host() -> None:
    site = small_site()
    plan = make_plan(site, {})
    everything = {row.id for row in ports() if row.without is None}
    assert {p.id for p in ports_for(site, plan, plan.hosts[0])} == everything


def test_the_portals_server_passes_signalling_on_where_telephony_is_elsewhere() -> None:
    site = medium_site()
    plan = make_plan(site, {})
    back = {p.id: p for p in ports_for(site, plan, plan.host("back"))}
    assert (back["wss-portal"].port, back["wss-portal"].sources) == ("8089", ("198.51.100.0/24",))
    assert "wss-portal" not in {p.id for p in ports_for(site, plan, plan.host("tel"))}


def test_a_provider_that_connects_reaches_the_websockets() -> None:
    networks = {"agents": ["198.51.100.0/24"], "providers": ["203.0.113.0/24"]}
    trunk = {"name": "webrtc", "transport": "wss", "username": "sbc"}
    carrier = {"name": "carrier", "host": "203.0.113.7"}
    hosts = medium_site().model_dump(mode="json")["hosts"]
    for trunks, added in (([carrier], ()), ([trunk], ("203.0.113.0/24",))):
        site = small_site(agents=100, hosts=hosts, network=networks, telephony={"trunks": trunks})
        plan = make_plan(site, {})
        tel = {p.id: p for p in ports_for(site, plan, plan.host("tel"))}
        back = {p.id: p for p in ports_for(site, plan, plan.host("back"))}
        assert tel["wss"].sources == ("198.51.100.0/24", *added, "192.0.2.2/32")
        assert back["wss-portal"].sources == ("198.51.100.0/24", *added)


def test_the_ports_of_fax_are_open_to_providers_where_a_trunk_has_t38() -> None:
    networks = {"agents": ["198.51.100.0/24"], "providers": ["203.0.113.0/24"]}
    gateway = {"name": "fxs", "host": "203.0.113.7", "model": "dinstar"}
    for fax, sources in (("t38", ("203.0.113.0/24",)), ("pass-through", ())):
        trunks = [gateway | {"fax": fax}]
        site = small_site(network=networks, telephony={"trunks": trunks})
        plan = make_plan(site, {})
        udptl = next(p for p in ports_for(site, plan, plan.hosts[0]) if p.id == "udptl")
        assert (udptl.port, udptl.first, udptl.sources) == ("4000-4999", 4000, sources)


def test_ranges_are_in_the_order_in_which_the_kernel_shows_reserved_ports() -> None:
    site = small_site()
    plan = make_plan(site, {})
    ranges = [p.first for p in ports_for(site, plan, plan.hosts[0]) if "-" in p.port]
    assert len(ranges) == 3
    assert ranges == sorted(ranges)


def test_a_server_that_installs_is_known_to_the_others_by_its_address() -> None:
    site = small_site(
        agents=100,
        hosts=[{"name": "tel", "address": "local"}, {"name": "back", "address": "192.0.2.2"}],
    )
    plan = make_plan(site, {}).with_peers({"tel": "192.0.2.1", "back": "192.0.2.2"})
    back = {p.id: p for p in ports_for(site, plan, plan.host("back"))}
    assert back["mysql"].sources == ("192.0.2.1/32",)


def test_the_database_is_open_to_no_network_on_a_small_site() -> None:
    site = small_site()
    plan = make_plan(site, {})
    mysql = next(p for p in ports_for(site, plan, plan.hosts[0]) if p.id == "mysql")
    assert mysql.sources == ()


def test_between_hosts_only_the_peers_may_come() -> None:
    site = medium_site()
    plan = make_plan(site, {})
    back = {p.id: p for p in ports_for(site, plan, plan.host("back"))}
    tel = {p.id: p for p in ports_for(site, plan, plan.host("tel"))}
    assert back["mysql"].sources == ("192.0.2.1/32",)
    assert "mysql" not in tel
    assert tel["wss"].sources == ("198.51.100.0/24", "192.0.2.2/32")


def test_networks_of_the_site_file_decide_who_may_come() -> None:
    site = medium_site()
    plan = make_plan(site, {})
    back = {p.id: p for p in ports_for(site, plan, plan.host("back"))}
    assert back["https"].sources == ("198.51.100.0/24",)
    assert back["ssh"].sources == ("203.0.113.5/32",)


def test_ranges_come_from_the_plan() -> None:
    site = small_site()
    plan = make_plan(site, {})
    rtp = next(p for p in ports_for(site, plan, plan.hosts[0]) if p.id == "rtp")
    tuning = plan.tuning.telephony
    assert rtp.port == f"{tuning.rtp_start}-{tuning.rtp_end}"
    assert rtp.first == tuning.rtp_start
