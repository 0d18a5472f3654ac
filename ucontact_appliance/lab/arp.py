"""ARP probes (RFC 5227, section 2.1.1): which addresses somebody on the lab's bridge holds.

The bridge is shared by all lab folders (UCONTACT_VAR), which do not know of one another. A machine
that runs answers for its address whichever folder it is of; one that is stopped can't be seen.
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
_NOBODY = bytes(4)  # a probe's sender address: it must not enter anybody's cache
# Ethernet header, then RFC 826: hardware, protocol, their lengths, operation, sender and target.
_FRAME = struct.Struct("!6s6sH HHBBH 6s4s6s4s")
_PROBES = 3
# RFC 5227 waits a second or more for other switches and hosts; all of ours are on this machine,
# whose kernel answers while the probe is sent.
_WAIT_SECONDS = 0.1


def probe(address: str, mac: bytes) -> bytes:
    """The frame that asks who holds the address, sent by the interface with that MAC."""
    target = IPv4Address(address).packed
    ethernet = (_BROADCAST, mac, _ETH_P_ARP)
    return _FRAME.pack(*ethernet, 1, 0x0800, 6, 4, _REQUEST, mac, _NOBODY, bytes(6), target)


def holder(frame: bytes) -> tuple[str, str] | None:
    """The address that the sender of the frame holds, and its MAC; None when it claims none."""
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
    """Of those addresses the ones that are held on the bridge, with the MAC of each holder.

    Takes 0.3 s. Raises OSError when the bridge can't be used.
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
    """Who was heard within the time that one probe waits."""
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
