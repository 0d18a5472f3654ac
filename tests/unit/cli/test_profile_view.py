"""A profile on screen: what the technician reads."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from ucontact_appliance.cli.profile_view import profile_block
from ucontact_appliance.facts.hardware.parse import parse_profile
from ucontact_appliance.facts.hardware.records import (
    Card,
    ClockDiscipline,
    InstalledMemory,
    Nic,
    Profile,
    WriteLatency,
)
from ucontact_appliance.planning.capability import Capability

_RECORDED = Path(__file__).parent.parent / "facts" / "hardware" / "recorded" / "profiles"


def seen() -> Profile:
    return parse_profile(json.loads((_RECORDED / "virtual-machine.json").read_text("utf-8")))


def shown(profile: Profile) -> str:
    carries = [Capability("small", "yes", "memory and processors suffice")]
    console = Console(file=StringIO(), width=140)
    console.print(profile_block("tel1", profile, carries))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(" ".join(line.strip("│ ").split()) for line in text.splitlines())


def test_a_block_names_everything_that_was_asked_for() -> None:
    text = shown(seen())
    for line in (
        "processor AMD EPYC, 2 cores, 2 threads, 2.4 GHz",
        "memory 24 GB (23.5 GiB usable)",
        "disks vda: 256 GiB, virtual",
        "network eth0: up, MTU 1400, 192.0.2.2, fd00::2",
        "routes IPv4 via 192.0.2.1 on eth0, MTU 1400",
        "IPv6 via fd00::1 on eth0, MTU 1400",
        "clock not synchronised: no time service is running",
        "telephony cards none on the PCI and USB buses (gateways are on the network)",
        "suitable for small: yes, memory and processors suffice",
    ):
        assert line in text
    assert text.startswith("╭─ tel1")


def test_eight_nominal_gigabytes_are_shown_beside_what_is_usable() -> None:
    assert "memory 8 GB (7.6 GiB usable)" in shown(
        replace(seen(), memory=InstalledMemory(7782, 8192))
    )


def test_write_latency_is_shown_judged_or_with_the_reason_that_it_is_missing() -> None:
    fast = WriteLatency(("database",), "/var/lib", "/", 200, 0.412, 1.9, "")
    slow = WriteLatency(("recordings",), "/srv", "/srv", 120, 11.0, 48.2, "")
    none = WriteLatency(("recordings",), "/srv", "/srv", 0, None, None, "/srv: Permission denied")
    text = shown(replace(seen(), write_latency=(fast, slow, none)))
    assert "database on /: p50 0.4 ms, p99 1.9 ms (200 writes to the disk)" in text
    assert "p50 11.0 ms, p99 48.2 ms: slow disk (120 writes" in text
    assert "recordings on /srv: not measured (/srv: Permission denied)" in text


def test_a_card_is_shown_with_its_evidence_and_no_markup_is_taken_from_it() -> None:
    evidence = "PCI 0000:02:08.0: d161:1420, driver none [pci.ids]"
    card = Card("Digium", "Wildcard TE420", "pci", "d161:1420", "0000:02:08.0", "", evidence)
    text = shown(replace(seen(), cards=(card,)))
    assert "telephony cards Digium Wildcard TE420" in text
    assert evidence in text


def test_a_nic_and_a_clock_in_other_states() -> None:
    nic = Nic("eno2", "bond", "no link", 10000, 9000, "aa", "", ("10.0.0.5",), ("fe80::1",))
    text = shown(replace(seen(), nics=(nic,), clock=ClockDiscipline("chrony", True), route4=None))
    assert "network eno2: no link, bond, 10 Gbit/s, MTU 9000, 10.0.0.5\n" in text
    assert "clock synchronised by chrony" in text
    assert "no IPv4 default route" in text
