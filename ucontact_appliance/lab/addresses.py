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

# The kernel takes a machine's interface away some moments after its last process has ended, and
# later where it has much else to do.
_RELEASE_SECONDS = 10.0
_MOST = layout.NETWORK.num_addresses - layout.FIRST_MACHINE - 1


def free_address() -> str:
    """The first address that no machine of this folder has, and nobody on the bridge holds."""
    ours = {address_of(layout.machines() / name) for name in machine_names()}
    wanted = choose_address(ours)
    held = _holders(all_addresses(), wanted)
    return choose_address(ours | set(held))


def _holder(address: str) -> str:
    """Who holds the address on the bridge, for a person; empty when nobody does."""
    found = _holders([address], address)
    if not found:
        return ""
    named = [str(folder) for folder in _holding(address)]
    return f"{', '.join(named) or 'a machine'} ({found[address]})"


def _holders(addresses: Collection[str], wanted: str) -> dict[str, str]:
    """Of those addresses the ones held on the bridge, with the MAC of each holder.

    A machine that was thrown away a moment ago still answers for the wanted one: it is given time
    to leave. One that runs is not waited for.
    """
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        held = arp.holders(layout.BRIDGE, addresses)
        if wanted not in held or _holding(wanted) or time.monotonic() > deadline:
            return held


def _holding(address: str) -> tuple[Path, ...]:
    """The folders of the machines that run on the bridge with that address."""
    folders = (root.parent for root in processes.roots_on_bridge())
    return tuple(folder for folder in folders if _claims(folder, address))


def _claims(folder: Path, address: str) -> bool:
    """Whether the machine, which may be of any lab folder, was made with that address."""
    try:
        return address_of(folder) == address
    except ApplianceError:
        return False


def refuse_taken(name: str, address: str) -> None:
    """Raises UsageError when somebody else on the bridge answers for the machine's address."""
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
                _("or ucontact lab down both, and make this one anew"),
            ),
        )


def refuse_name_elsewhere(folder: Path) -> None:
    """Raises UsageError when a machine of that name runs from another lab folder.

    Its interface and its cgroup on the host are named by the machine's name alone.
    """
    other = namesake(folder)
    if other is not None:
        raise UsageError(
            _("a rehearsal machine {name} of another lab folder is running", name=folder.name),
            evidence=str(other),
            helps=_("choose another name: ucontact lab up NAME"),
        )


def namesake(folder: Path) -> Path | None:
    """The folder of a running machine of that name in another lab folder."""
    others = (root.parent for root in processes.roots_on_bridge())
    return next((one for one in others if one.name == folder.name and one != folder), None)


def choose_address(taken: set[str]) -> str:
    """The first address of the range that no machine has. Raises UsageError when it is full."""
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
