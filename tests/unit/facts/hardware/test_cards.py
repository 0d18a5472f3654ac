"""Telephony cards: identities as /sys shows them on machines that have such cards."""

from __future__ import annotations

import re

import pytest

from ucontact_appliance.facts.hardware.cards import find_cards
from ucontact_appliance.resources import load_data


def pci(identity: str, below: str = "0000:0000", driver: str = "") -> dict[str, str]:
    vendor, device = identity.split(":")
    subvendor, subdevice = below.split(":")
    return {
        "slot": "0000:02:08.0",
        "vendor": f"0x{vendor}",
        "device": f"0x{device}",
        "subsystem_vendor": f"0x{subvendor}",
        "subsystem_device": f"0x{subdevice}",
        "class": "0x078000",
        "driver": driver,
    }


def usb(identity: str, **names: str) -> dict[str, str]:
    vendor, device = identity.split(":")
    return {"slot": "1-1.4", "idVendor": vendor, "idProduct": device, "driver": "", **names}


@pytest.mark.parametrize(
    ("identity", "below", "maker", "model"),
    [
        ("d161:1420", "0005:0000", "Digium", "TE420 (5th generation)"),
        ("d161:1820", "0005:0000", "Digium", "TE820"),
        ("d161:8006", "0000:0000", "Digium", "AEX410"),
        ("d161:9999", "0000:0000", "Digium", "unknown model d161:9999"),
        ("1923:0100", "a114:4213", "Sangoma", "A104d"),
        ("1923:0700", "a116:0000", "Sangoma", "unknown model 1923:0700"),
        ("e159:0001", "b119:0001", "Digium", "TDM400P"),
        ("e159:0001", "8085:0003", "Digium", "X101P"),
        ("e159:0001", "71fe:0003", "Digium", "TE110P"),
        ("10ee:0314", "0000:0000", "Digium", "1st generation"),
    ],
)
def test_a_pci_card_is_told_by_its_identity(
    identity: str, below: str, maker: str, model: str
) -> None:
    (card,) = find_cards([pci(identity, below, "wct4xxp")], [], "", None)
    assert (card.maker, card.bus, card.id, card.driver) == (maker, "pci", identity, "wct4xxp")
    assert model in card.model
    assert f"PCI 0000:02:08.0: {identity} (subsystem {below}), driver wct4xxp" in card.evidence


@pytest.mark.parametrize(
    ("identity", "maker", "model"),
    [
        ("e4e4:1160", "Xorcom", "Astribank 2, no firmware loaded"),
        ("e4e4:1162", "Xorcom", "Astribank 2"),
        ("e4e4:2000", "Xorcom", "unknown model e4e4:2000"),
        ("10c4:8461", "Sangoma", "U100, analogue"),
        ("06e6:831c", "Digium", "Wildcard S100U, 1 analogue"),
    ],
)
def test_a_usb_card_is_told_by_its_identity(identity: str, maker: str, model: str) -> None:
    (card,) = find_cards([], [usb(identity, manufacturer="Xorcom LTD", product="Box")], "", None)
    assert (card.maker, card.model, card.bus, card.slot) == (maker, model, "usb", "1-1.4")
    assert f"USB 1-1.4: {identity} Xorcom LTD Box, driver none" in card.evidence


@pytest.mark.parametrize(
    "device",
    [
        pci("8086:10d3", "8086:a01f", "e1000e"),
        pci("1af4:1041", "1af4:1041", "virtio-pci"),
        # A modem with the chip of old Digium cards, and a UART with the maker of Sangoma's U100
        pci("e159:0001", "0059:0001"),
        pci("10ee:7011", "10ee:0007"),
    ],
)
def test_other_devices_are_no_cards(device: dict[str, str]) -> None:
    assert find_cards([device], [usb("10c4:ea60", product="CP2102")], "", None) == ()


def test_khomp_is_told_by_a_name_for_want_of_a_registered_identity() -> None:
    (card,) = find_cards([pci("10b5:9054", driver="khompwdm")], [], "", None)
    assert (card.maker, card.model) == ("Khomp", "unknown model 10b5:9054")
    (card,) = find_cards([], [usb("0483:5740", manufacturer="Khomp")], "", None)
    assert card.maker == "Khomp"


def test_khomp_boards_are_those_that_its_driver_lists() -> None:
    found = find_cards([], [], "khompdrv 16384 0 - Live 0x0", "0 KE1 E600-2E1\n1 KFXO KFXO80\n")
    assert [card.model for card in found] == ["0 KE1 E600-2E1", "1 KFXO KFXO80"]
    assert found[0].evidence == "/etc/khomp/devices: 0 KE1 E600-2E1"


@pytest.mark.parametrize(
    ("modules", "listed", "evidence"),
    [
        ("ext4 1 0 - Live 0x0\nkhompdrv 16384 0 - Live 0x0\n", None, "/proc/modules: khompdrv"),
        ("ext4 1 0 - Live 0x0\n", "", "the driver's folder /etc/khomp"),
    ],
)
def test_khomp_without_a_list_says_what_it_was_told_by(
    modules: str, listed: str | None, evidence: str
) -> None:
    (card,) = find_cards([], [], modules, listed)
    assert (card.maker, card.evidence) == ("Khomp", evidence)
    assert card.model.startswith("not told")


def test_the_table_names_accepted_makers_once_each_with_a_source() -> None:
    table = load_data("telephony_cards")
    assert table["requirement"] == "R13"
    for bus in ("pci", "usb"):
        rows = table[bus]["vendors"] + table[bus]["devices"]
        ids = [row["id"] for row in rows]
        assert len(ids) == len(set(ids))
        assert {row["maker"] for row in rows} <= {"Digium", "Sangoma", "Xorcom", "Khomp"}
        assert all(
            set(row["source"].split(", ")) <= {"pci.ids", "usb.ids", "dahdi"} for row in rows
        )
        assert all(re.fullmatch("[0-9a-f]{4}", row["id"]) for row in table[bus]["vendors"])
        form = "[0-9a-f]{4}:[0-9a-f]{4}(/[0-9a-f]{4})?"
        assert all(re.fullmatch(form, row["id"]) for row in table[bus]["devices"])
