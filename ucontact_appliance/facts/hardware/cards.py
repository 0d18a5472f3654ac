"""Telephony cards among a machine's PCI and USB devices (R13, data/telephony_cards.yml)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ucontact_appliance.facts.hardware.records import Card
from ucontact_appliance.resources import load_data

KHOMP = "Khomp"
_WORD = "khomp"


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = load_data("telephony_cards")
    return table


def find_cards(
    pci: Sequence[Mapping[str, str]],
    usb: Sequence[Mapping[str, str]],
    modules: str,
    khomp_devices: str | None,
) -> tuple[Card, ...]:
    """The telephony cards among the devices that the probe read.

    `modules` is /proc/modules. `khomp_devices` is the text of Khomp's own list of boards: empty if
    only its folder exists, None without the folder.
    """
    found = [card for device in pci if (card := _pci_card(device))]
    found += [card for device in usb if (card := _usb_card(device))]
    if not any(card.maker == KHOMP for card in found):
        found += _khomp_by_driver(modules, khomp_devices)
    return tuple(found)


def _pci_card(device: Mapping[str, str]) -> Card | None:
    vendor, model = _hex(device["vendor"]), _hex(device.get("device", ""))
    below = _hex(device.get("subsystem_vendor", ""))
    driver = device.get("driver", "")
    shown = f"PCI {device['slot']}: {vendor}:{model} (subsystem {below}:"
    shown += f"{_hex(device.get('subsystem_device', ''))}), driver {driver or 'none'}"
    return _card("pci", f"{vendor}:{model}", below, device, shown)


def _usb_card(device: Mapping[str, str]) -> Card | None:
    number = f"{_hex(device['idVendor'])}:{_hex(device.get('idProduct', ''))}"
    names = " ".join(filter(None, (device.get("manufacturer"), device.get("product"))))
    driver = device.get("driver", "")
    shown = f"USB {device['slot']}: {number} {names}".rstrip() + f", driver {driver or 'none'}"
    return _card("usb", number, "", device, shown)


def _card(bus: str, number: str, below: str, device: Mapping[str, str], shown: str) -> Card | None:
    slot, driver = device["slot"], device.get("driver", "")
    table = _table()[bus]
    rows = {row["id"]: row for row in table["devices"]}
    row = rows.get(f"{number}/{below}") or rows.get(number)
    if row is None:
        makers = {row["id"]: row for row in table["vendors"]}
        row = makers.get(number.partition(":")[0])
    if row is not None:
        model = row.get("model", f"unknown model {number}")
        evidence = f"{shown} [{row['source']}]"
        return Card(row["maker"], model, bus, number, slot, driver, evidence)
    if _WORD in shown.lower():
        return Card(KHOMP, f"unknown model {number}", bus, number, slot, driver, shown)
    return None


def _khomp_by_driver(modules: str, devices: str | None) -> list[Card]:
    """Boards listed by Khomp's driver; else one card for its loaded module or its folder."""
    listed = [line.strip() for line in (devices or "").splitlines() if line.strip()]
    if listed:
        return [
            Card(KHOMP, line, "driver", "", "", "", f"/etc/khomp/devices: {line}")
            for line in listed
        ]
    loaded = [line.split()[0] for line in modules.splitlines() if _WORD in line.lower()]
    if loaded:
        told = f"/proc/modules: {', '.join(loaded)}"
    elif devices is not None:
        told = "the driver's folder /etc/khomp"
    else:
        return []
    return [Card(KHOMP, "not told: see Khomp's own tools", "driver", "", "", "", told)]


def _hex(text: str) -> str:
    return text.strip().lower().removeprefix("0x")
