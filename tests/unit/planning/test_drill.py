"""The site that a drill restores: what it keeps of the saved one, and what it leaves out."""

from __future__ import annotations

from datetime import date
from typing import Any

import yaml

from tests.unit.sites import small_site
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.planning.drill import (
    addresses_of_site,
    left_out,
    needed_disk_mb,
    site_of_drill,
)
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import Site

HOST = {"name": "drill-1", "address": "10.203.17.10", "key": "/lab/key"}
UNTIL = date(2026, 12, 7)
MEDIUM = """\
site: acme
fqdn: contact.example.com
agents: 120
hosts:
  - {name: phones, address: 192.0.2.10}
  - {name: portal, address: 192.0.2.11}
database_on: telephony
certificate: {source: files, chain: ./certs/chain.pem, key: /keys/portal.pem}
network: {profile: nat, public_address: 198.51.100.7, admins: [192.0.2.0/24]}
telephony:
  country: UY
  extensions: ["6001", "6002"]
  phones: [{extension: "6002", mac: "00:15:65:01:02:03", model: yealink}]
  trunks: [{name: carrier, host: sip.example.net, username: acme, register: true, prefix: "9"}]
  inbound: [{number: "555", to: {extension: "6001"}}]
  announcements: [{name: closed, file: sounds/closed.wav}]
  queues: [{name: sales, number: "800", agents: ["6001"], overflow: {extension: "6002"}}]
recordings: {retention_days: 30, encryption: true}
backup: {repository: /mnt/backup, drill: {every: monthly}}
release: /releases/vendor.tar.gz
waivers:
  - {check: tls.chain, host: phones, reason: "old browsers", until: 2027-01-31}
  - {check: tls.chain, host: portal, reason: "old browsers", until: 2027-01-31}
"""
FILES = {
    "certs/chain.pem": "files/0-chain.pem",
    "/keys/portal.pem": "files/1-portal.pem",
    "sounds/closed.wav": "files/2-closed.wav",
}


def drilled(text: str = MEDIUM) -> tuple[dict[str, Any], Site]:
    """The copy's document, which is a valid site.yml."""
    made = site_of_drill(text, HOST, FILES, UNTIL)
    return yaml.safe_load(made), parse_site(made)


def test_all_roles_are_on_one_machine_and_nothing_leads_outside() -> None:
    document, site = drilled()
    assert [host.name for host in site.hosts] == ["drill-1"]
    assert site.agents == 10
    assert site.backup is None
    assert not {"trunks", "phones", "inbound"} & set(document["telephony"])
    assert site.telephony.queues[0].overflow is None
    assert site.network.public_address is None


def test_what_belongs_to_the_data_is_kept() -> None:
    __, site = drilled()
    assert (site.site, site.fqdn) == ("acme", "contact.example.com")
    assert site.recordings.retention_days == 30
    assert site.recordings.encryption
    assert site.recordings.keep_free_percent == 0
    assert site.telephony.extensions == ("6001", "6002")
    assert site.release == "release-of-backup.tar.gz"


def test_files_are_those_beside_the_copy() -> None:
    __, site = drilled()
    assert str(site.certificate.chain) == "files/0-chain.pem"
    assert str(site.certificate.key) == "files/1-portal.pem"
    assert str(site.telephony.announcements[0].file) == "files/2-closed.wav"


def test_waivers_of_the_site_hold_and_those_of_the_machine_are_added() -> None:
    __, site = drilled()
    names = [one.check for one in site.waivers]
    assert names.count("tls.chain") == 1
    assert all(one.host is None for one in site.waivers)
    waived = load_data("backup")["drill"]["waived"]
    assert set(waived) < set(names)
    assert set(waived) < IDS


def test_a_small_evaluation_site_stays_what_it_is() -> None:
    text = "site: a\nfqdn: a.example.com\nagents: 3\nhosts: [{name: one, address: local}]\n"
    document, site = drilled(text)
    assert site.agents == 3
    assert "release" not in document
    assert left_out(parse_site(text)) == ()


def test_what_is_left_out_is_said() -> None:
    told = " ".join(left_out(parse_site(MEDIUM)))
    for what in ("one machine", "trunks", "hardphones", "incoming numbers"):
        assert what in told
    assert "cards" not in told


def test_servers_providers_and_the_portals_name_are_blocked() -> None:
    assert addresses_of_site([parse_site(MEDIUM), small_site()]) == (
        "192.0.2.10",
        "192.0.2.11",
        "sip.example.net",
        "contact.example.com",
        "198.51.100.7",
    )


def test_a_database_takes_more_disk_than_its_dump() -> None:
    rule = load_data("backup")["drill"]
    needed = needed_disk_mb({Role.DATABASE: 1_000_000_000, Role.TELEPHONY: 5_000_000_000})
    assert needed == rule["disk_mb"] + 1000 * rule["database_times"] + 5000
