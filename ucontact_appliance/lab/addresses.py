"""Addresses and names of rehearsal machines on the bridge that all lab folders share."""

from __future__ import annotations

import time
from collections.abc import Collection
from ipaddress import IPv4Address
from pathlib import Path

from ucontact_appliance.errors import ApplianceError, UsageError
from ucontact_appliance.lab import arp, layout, processes
from ucontact_appliance.lab.records import address_of, machine_names
from ucontact_appliance.language.messages import _, with_note

# The kernel removes a machine's interface some moments after its last process has ended, later
# under load.
_RELEASE_SECONDS = 10.0
_MOST = layout.NETWORK.num_addresses - layout.FIRST_MACHINE - 1


def free_address() -> str:
    """The first address that no machine of this folder has, and that is unused on the bridge."""
    ours = {address_of(layout.machines() / name) for name in machine_names()}
    wanted = choose_address(ours)
    held = _holders(all_addresses(), wanted)
    return choose_address(ours | set(held))


def _holder(address: str) -> str:
    """Description of who holds the address on the bridge; empty if nobody does."""
    found = _holders([address], address)
    if not found:
        return ""
    named = [str(folder) for folder in _holding(address)]
    return f"{', '.join(named) or 'a machine'} ({found[address]})"


def _holders(addresses: Collection[str], wanted: str) -> dict[str, str]:
    """The addresses that are in use on the bridge, each with the MAC of its holder.

    A machine that was just removed still answers for its address: if that is the wanted one, wait
    for it to disappear. Running machines are not waited for.
    """
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        held = arp.holders(layout.BRIDGE, addresses)
        if wanted not in held or _holding(wanted) or time.monotonic() > deadline:
            return held


def _holding(address: str) -> tuple[Path, ...]:
    """The folders of the machines that run on the bridge with this address."""
    folders = (root.parent for root in processes.roots_on_bridge())
    return tuple(folder for folder in folders if _claims(folder, address))


def _claims(folder: Path, address: str) -> bool:
    """Whether the machine (of any lab folder) was created with this address."""
    try:
        return address_of(folder) == address
    except ApplianceError:
        return False


def refuse_taken(name: str, address: str) -> None:
    """Raise UsageError if another machine on the bridge answers for the address."""
    holder = _holder(address)
    if holder:
        raise UsageError(
            _(
                "the address {address} of the rehearsal machine {name} is in use by "
                "another machine",
                address=address,
                name=name,
            ),
            evidence=_(
                "on the bridge {bridge} it is held by {holder}", bridge=layout.BRIDGE, holder=holder
            ),
            helps=with_note(
                _("stop that machine, then: ucontact lab up {name}", name=name),
                _("or run ucontact lab down for both, and create this one again"),
            ),
        )


def refuse_name_elsewhere(folder: Path) -> None:
    """Raise UsageError if a machine of this name runs from another lab folder.

    Its interface and cgroup on the host are named after the machine alone.
    """
    other = namesake(folder)
    if other is not None:
        raise UsageError(
            _("a rehearsal machine {name} of another lab folder is running", name=folder.name),
            evidence=str(other),
            helps=_("choose another name: ucontact lab up NAME"),
        )


def namesake(folder: Path) -> Path | None:
    """The folder of a running machine of the same name in another lab folder."""
    others = (root.parent for root in processes.roots_on_bridge())
    return next((one for one in others if one.name == folder.name and one != folder), None)


def choose_address(taken: set[str]) -> str:
    """The first address of the range that is not taken. Raises UsageError if all are."""
    for address in all_addresses():
        if address not in taken:
            return address
    raise UsageError(
        _(
            "all {most} addresses of the lab's range {network} are in use",
            most=_MOST,
            network=layout.NETWORK,
        ),
        helps=with_note("ucontact lab list", _("then: ucontact lab down NAME")),
    )


def all_addresses() -> tuple[str, ...]:
    """All addresses that machines may have."""
    first = int(layout.NETWORK.network_address) + layout.FIRST_MACHINE
    return tuple(str(IPv4Address(first + number)) for number in range(_MOST))
