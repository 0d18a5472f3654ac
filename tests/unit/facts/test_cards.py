"""What cards, kernels and DAHDI say of themselves.

Sources of outputs that no machine here can give: the kernel's /proc/dahdi of a TE2 card from the
manual of XiVO ("Hardware, Verify cards"), its alarm from Xorcom's dahdi-tools (Dahdi/Span.pm);
`pri show spans` with alarms from nagisk.pl.
"""

from __future__ import annotations

from pydantic import TypeAdapter

from ucontact_appliance.facts.cards import (
    DahdiSpan,
    parse_bus,
    parse_kernel,
    parse_lines,
    parse_spans,
)

BUS = """---- pci
slot 0000:00:00.0
vendor 0x8086
device 0x1237
subsystem_vendor 0x1af4
subsystem_device 0x1100
slot 0000:05:08.0
vendor 0xd161
device 0x0420
subsystem_vendor 0x0420
subsystem_device 0x0000
driver wct4xxp
---- usb
slot 1-1
idVendor e4e4
idProduct 1162
manufacturer Xorcom LTD
product Astribank
---- container
no
"""


def test_cards_are_found_among_the_devices_of_both_buses() -> None:
    found = parse_bus(BUS)
    assert [(card.maker, card.driver, card.slot) for card in found.cards] == [
        ("Digium", "wct4xxp", "0000:05:08.0"),
        ("Xorcom", "", "1-1"),
    ]
    assert not found.container


def test_a_server_without_cards() -> None:
    assert parse_bus("---- pci\n---- usb\n---- container\nyes\n").cards == ()
    assert parse_bus("---- pci\n---- usb\n---- container\nyes\n").container


# `dkms status` of a rehearsal machine with Debian's dahdi-dkms 3.4.0 and kernel 7.2.13.
KERNEL = """---- running
7.2.13+deb14-amd64
---- installed
7.2.13+deb14-amd64
7.2.14+deb14-amd64
---- built
7.2.13+deb14-amd64
---- dkms
dahdi/3.4.0, 7.2.13+deb14-amd64, x86_64: installed
---- loaded
dahdi
wct4xxp
---- secure
{secure}
---- signer
DKMS module signing key
---- key
{key}
---- container
no
"""


def test_kernels_and_the_modules_that_they_have() -> None:
    found = parse_kernel(KERNEL.format(secure="   0", key=""))
    assert found.running == "7.2.13+deb14-amd64"
    assert found.installed == ("7.2.13+deb14-amd64", "7.2.14+deb14-amd64")
    assert found.built == {"7.2.13+deb14-amd64"}
    assert found.loaded == {"dahdi", "wct4xxp"}
    assert found.secure_boot is False
    assert found.enrolled is None


def test_secure_boot_and_its_key() -> None:
    told = KERNEL.format(secure="   1", key="/var/lib/dkms/mok.pub is already enrolled")
    assert parse_kernel(told).secure_boot is True
    assert parse_kernel(told).enrolled is True
    told = KERNEL.format(secure="   1", key="/var/lib/dkms/mok.pub is not enrolled")
    assert parse_kernel(told).enrolled is False
    # A machine without UEFI has no such variable.
    assert parse_kernel(KERNEL.format(secure="", key="")).secure_boot is None


PROC = """Span 1: TE2/0/1 "T2XXP (PCI) Card 0 Span 1" (MASTER) HDB3/CCS ClockSource

          1 TE2/0/1/1 Clear (In use) (EC: VPMOCT064 - INACTIVE)
          2 TE2/0/1/2 Clear (In use) (EC: VPMOCT064 - INACTIVE)
Span 2: TE2/0/2 "T2XXP (PCI) Card 0 Span 2" HDB3/CCS/CRC4 RED

         32 TE2/0/2/1 Clear (In use) (EC: VPMOCT064 - INACTIVE) RED
"""


def test_spans_with_their_alarms_and_the_clock() -> None:
    assert parse_spans(PROC) == (
        DahdiSpan(1, "T2XXP (PCI) Card 0 Span 1", (), True, 2),
        DahdiSpan(2, "T2XXP (PCI) Card 0 Span 2", ("RED",), False, 1),
    )


def test_what_asterisk_says_of_pri() -> None:
    found = parse_lines(
        "---- pri\n"
        "PRI span 1/0: Provisioned, In Alarm, Down, Active\n"
        "PRI span 3/0: Provisioned, Up, Active\n"
    )
    assert found.pri == {1: "Provisioned, In Alarm, Down, Active", 3: "Provisioned, Up, Active"}
    assert found.channels == frozenset()


def test_an_asterisk_without_dahdi_has_no_channels() -> None:
    found = parse_lines(
        "---- channels\nNo such command 'dahdi show channels' (type 'core show help "
        "dahdi show channels' for other possible commands)\n---- pri\n---- r2\n"
    )
    assert (found.spans, found.channels, found.pri, found.r2) == ((), frozenset(), {}, {})


def test_facts_can_be_stored_and_judged_again() -> None:
    found = (
        parse_bus(BUS),
        parse_kernel(KERNEL.format(secure="   0", key="")),
        parse_lines(f"---- proc\n{PROC}\n---- pri\nPRI span 1/0: Up, Active\n"),
    )
    for one in found:
        adapter = TypeAdapter(type(one))
        assert adapter.validate_json(adapter.dump_json(one)) == one
