"""ARP probes (RFC 5227, section 2.1.1): find which addresses are in use on the lab's bridge.

All lab folders (UCONTACT_VAR) share the bridge without knowing of one another. A running machine
answers for its address, whichever folder it belongs to; a stopped one can't be detected.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Collection
from ipaddress import IPv4Address
from pathlib import Path

_ETH_P_ARP = 0x0806
_REQUEST, _REPLY = 1, 2
_BROADCAST = b"\xff" * 6
_NOBODY = bytes(4)  # a probe's sender address: all zero, so that it enters no ARP cache
# Ethernet header, then RFC 826: hardware, protocol, their lengths, operation, sender and target.
_FRAME = struct.Struct("!6s6sH HHBBH 6s4s6s4s")
_PROBES = 3
# RFC 5227 waits a second or more for other switches and hosts; all of ours are on this machine,
# whose kernel answers at once.
_WAIT_SECONDS = 0.1


def probe(address: str, mac: bytes) -> bytes:
    """The ARP probe frame for the address, sent from the interface with this MAC."""
    target = IPv4Address(address).packed
    ethernet = (_BROADCAST, mac, _ETH_P_ARP)
    return _FRAME.pack(*ethernet, 1, 0x0800, 6, 4, _REQUEST, mac, _NOBODY, bytes(6), target)


def holder(frame: bytes) -> tuple[str, str] | None:
    """The address that the frame's sender holds, and its MAC; None if it claims none."""
    if len(frame) < _FRAME.size:
        return None
    _, _, kind, hardware, protocol, *lengths, operation, mac, address, _, _ = _FRAME.unpack_from(
        frame
    )
    ours = (kind, hardware, protocol, lengths) == (_ETH_P_ARP, 1, 0x0800, [6, 4])
    if not ours or operation not in (_REQUEST, _REPLY) or address == _NOBODY:
        return None
    return str(IPv4Address(address)), mac.hex(":")


def holders(bridge: str, addresses: Collection[str]) -> dict[str, str]:
    """The addresses that are in use on the bridge, each with the MAC of its holder.

    Takes 0.3 s. Raises OSError if the bridge can't be used.
    """
    mac = bytes.fromhex(_address_file(bridge).read_text(encoding="ascii").strip().replace(":", ""))
    found: dict[str, str] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP)) as wire:
        wire.bind((bridge, _ETH_P_ARP))
        wire.setblocking(False)
        for _ in range(_PROBES):
            for address in set(addresses) - set(found):
                wire.send(probe(address, mac))
            found |= {held: by for held, by in _heard(wire) if held in addresses}
    return found


def _address_file(bridge: str) -> Path:
    return Path(f"/sys/class/net/{bridge}/address")


def _heard(wire: socket.socket) -> list[tuple[str, str]]:
    """The (address, MAC) pairs received within the wait time of one probe."""
    heard = []
    deadline = time.monotonic() + _WAIT_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(wire, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                told = holder(wire.recv(128))
                if told is not None:
                    heard.append(told)
    return heard
