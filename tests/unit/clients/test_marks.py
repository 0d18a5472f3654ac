import asyncio
import socket
import struct

import pytest

from ucontact_appliance.clients.marks import (
    AUDIO,
    DTLS,
    OTHER,
    RELAYED,
    REPORT,
    STUN,
    VIDEO,
    CountingEventLoop,
    MarkedPackets,
    dscp_of,
    kind_of,
    run_seeing,
    tcp_mark,
)


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (0x00, 0x01, STUN),
        (0x16, 0xFE, DTLS),
        (0x40, 0x00, RELAYED),
        (0x80, 0x6F, AUDIO),
        (0x80, 0x60, VIDEO),
        (0x80, 0xE0, VIDEO),  # with the marker bit
        (0x80, 0xC8, REPORT),
        (0xC0, 0x00, OTHER),
    ],
)
def test_a_datagram_is_told_by_its_first_bytes(first: int, second: int, kind: str) -> None:
    assert kind_of(bytes([first, second, 0, 0]), frozenset({0x60})) == kind


def test_too_short_a_datagram_is_nothing_known() -> None:
    assert kind_of(b"") == kind_of(b"\x80") == OTHER


def test_marks_in_ancillary_data() -> None:
    assert dscp_of([(socket.IPPROTO_IP, socket.IP_TOS, bytes([0xB8]))]) == 46
    assert dscp_of([(socket.IPPROTO_IPV6, 67, struct.pack("@i", 0x60))]) == 24
    assert dscp_of([]) == 0


def _packet(tos: int, data: bytes, *, ports: tuple[int, int] = (8089, 40000)) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", *ports, 1, 1, 5 << 4, 0x18, 1000, 0, 0) + data
    return (
        struct.pack(
            "!BBHHHBBH4s4s", 0x45, tos, 20 + len(tcp), 1, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"
        )
        + tcp
    )


def test_the_mark_of_a_segment() -> None:
    assert tcp_mark(_packet(0x60, b"hello")) == (8089, 40000, True, 24)
    assert tcp_mark(_packet(0x00, b"")) == (8089, 40000, False, 0)


@pytest.mark.parametrize("packet", [b"", b"\x60" * 60, _packet(0, b"")[:30]])
def test_what_is_no_ipv4_tcp_has_no_mark(packet: bytes) -> None:
    assert tcp_mark(packet) is None


class _Hearing(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.heard = asyncio.Event()
        self.lost = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.got.append(data)
        self.heard.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_loop_counts_what_arrives_by_its_mark_and_hands_it_on(address: str) -> None:
    async def talk(loop: CountingEventLoop) -> tuple[list[bytes], bool]:
        transport, hearing = await loop.create_datagram_endpoint(_Hearing, local_addr=(address, 0))
        assert isinstance(hearing, _Hearing)
        place = transport.get_extra_info("sockname")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as speaker:
            if family == socket.AF_INET6:
                speaker.setsockopt(socket.IPPROTO_IPV6, 67, 0xB8)
            else:
                speaker.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xB8)
            speaker.sendto(b"\x80\x6f sound", place)
            await asyncio.wait_for(hearing.heard.wait(), 5)
            transport.sendto(b"back", speaker.getsockname())
            named = f"{address}:{speaker.getsockname()[1]}"
        assert loop.arrived == (MarkedPackets(AUDIO, named, 46, 1),)
        transport.close()
        transport.close()
        await asyncio.wait_for(hearing.lost.wait(), 5)
        return hearing.got, transport.is_closing()

    try:
        socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET).bind((address, 0))
    except OSError:
        pytest.skip(f"not run: {address} is not on this machine")
    assert run_seeing(talk) == ([b"\x80\x6f sound"], True)


def test_the_loop_passes_on_what_a_task_raises() -> None:
    async def fail(loop: CountingEventLoop) -> None:
        raise ValueError("so it is")

    with pytest.raises(ValueError, match="so it is"):
        run_seeing(fail)
