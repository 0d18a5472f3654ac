"""Read the DSCP of arriving packets (R07): of datagrams from their socket, of TCP from a raw one.

The kernel passes each datagram's TOS byte to a program that asks for it (ip(7), IP_RECVTOS;
ipv6(7), IPV6_RECVTCLASS), but asyncio's own datagram transport does not ask. For a TCP connection
the kernel does not report it to the side that opened it: that takes a raw socket, and so root.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Address = tuple[Any, ...]

_DATAGRAM_BYTES = 65536
_CONTROL_BYTES = 256
_AT_ONCE = 32  # datagrams per turn, so that other callbacks are not starved
_RECEIVE_BUFFER = 1 << 20
_IPV6_RECVTCLASS, _IPV6_TCLASS = 66, 67  # linux/in6.h; not in Python's socket module everywhere
_IP_RECVTOS = 13  # linux/in.h; Python's socket module has it from 3.10, on some systems only

AUDIO, VIDEO, REPORT, DTLS, STUN, RELAYED, OTHER = (
    "audio",
    "video",
    "rtcp",
    "dtls",
    "stun",
    "relayed",
    "other",
)

# RFC 7983; relayed is TURN's ChannelData (RFC 8656 12.4)
_FIRST_BYTES = ((STUN, 0, 3), (DTLS, 20, 63), (RELAYED, 64, 79), (AUDIO, 128, 191))


@dataclass(frozen=True)
class MarkedPackets:
    """The number of packets of one kind from one source with one DSCP (0 to 63)."""

    kind: str
    source: str
    dscp: int
    packets: int


def kind_of(data: bytes, video_types: frozenset[int] = frozenset()) -> str:
    """Classify a datagram of a WebRTC call by its first bytes (RFC 7983, RFC 5761 4).

    `video_types` are the RTP payload types that the SDP assigns to video.
    """
    if len(data) < 2:
        return OTHER
    kind = next((kind for kind, first, last in _FIRST_BYTES if first <= data[0] <= last), OTHER)
    if kind != AUDIO:
        return kind
    if 192 <= data[1] <= 223:
        return REPORT
    return VIDEO if data[1] & 0x7F in video_types else AUDIO


class CountingEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose datagram sockets count what arrives, by kind, source and DSCP."""

    def __init__(self) -> None:
        super().__init__()
        self._arrived: Counter[tuple[str, str, int]] = Counter()
        self.video_types: frozenset[int] = frozenset()

    @property
    def arrived(self) -> tuple[MarkedPackets, ...]:
        """Everything that has arrived so far."""
        return tuple(MarkedPackets(*key, count) for key, count in sorted(self._arrived.items()))

    def note(self, data: bytes, source: Address, dscp: int) -> None:
        """Count one datagram."""
        place = f"{source[0]}:{source[1]}"
        self._arrived[kind_of(data, self.video_types), place, dscp] += 1

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.DatagramProtocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        **options: Any,
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """Like asyncio's own; existing sockets and special options are passed on to that."""
        named = local_addr or remote_addr
        if options or named is None:
            return await super().create_datagram_endpoint(
                protocol_factory, local_addr=local_addr, remote_addr=remote_addr, **options
            )
        found = await self.getaddrinfo(named[0], named[1], type=socket.SOCK_DGRAM)
        made = _socket(found[0][0])
        try:
            if local_addr is not None:
                made.bind(found[0][4])
            if remote_addr is not None:
                made.connect(found[0][4])
        except BaseException:
            made.close()
            raise
        protocol = protocol_factory()
        transport = _Transport(self, made, protocol, connected=remote_addr is not None)
        return transport, protocol


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVTCLASS, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
    return made


class _Transport(asyncio.DatagramTransport):
    """One socket: received datagrams are counted and passed on. Failed sends are dropped."""

    def __init__(
        self,
        loop: CountingEventLoop,
        opened: socket.socket,
        protocol: asyncio.DatagramProtocol,
        *,
        connected: bool,
    ) -> None:
        super().__init__({"socket": opened, "sockname": opened.getsockname()})
        self._loop = loop
        self._socket = opened
        self._protocol = protocol
        self._connected = connected
        self._closing = False
        loop.add_reader(opened.fileno(), self._readable)
        protocol.connection_made(self)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send without blocking. As in UDP, what the kernel does not accept is dropped."""
        try:
            if self._connected:
                self._socket.send(data)
            else:
                self._socket.sendto(data, addr)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._protocol.error_received(error)

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, control, _, source = self._socket.recvmsg(_DATAGRAM_BYTES, _CONTROL_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._protocol.error_received(error)
                return
            self._loop.note(data, source, dscp_of(control))
            self._protocol.datagram_received(data, source)
            if self._closing:
                return

    def close(self) -> None:
        """Close the socket and notify the protocol, once."""
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Same as `close`: nothing is buffered for sending."""
        self.close()

    def is_closing(self) -> bool:
        """Whether the transport was closed."""
        return self._closing


def dscp_of(control: list[tuple[int, int, bytes]]) -> int:
    """The DSCP in recvmsg(2)'s ancillary data: the upper six bits of the TOS byte; 0 if none.

    IPv4 passes one byte, IPv6 an int.
    """
    for level, kind, data in control:
        if (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS) and data:
            return data[0] >> 2
        if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_TCLASS) and len(data) >= 4:
            return int(struct.unpack("@i", data[:4])[0]) >> 2
    return 0


def run_seeing(make: Callable[[CountingEventLoop], Coroutine[Any, Any, T]]) -> T:
    """Like asyncio.run, in a loop that counts what arrives."""
    loop = CountingEventLoop()
    try:
        return loop.run_until_complete(make(loop))
    finally:
        try:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


class TcpMarkCounter:
    """Counts TCP segments from one address and port by DSCP."""

    def __init__(self, raw: socket.socket, port: int) -> None:
        self._raw = raw
        self._port = port
        self._arrived: Counter[tuple[int, int]] = Counter()

    def listen(self) -> None:
        """Read the packets that have arrived."""
        for _ in range(_AT_ONCE):
            try:
                packet = self._raw.recv(_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            found = tcp_mark(packet)
            if found is not None and found[0] == self._port and found[2]:
                self._arrived[found[1], found[3]] += 1

    def to(self, port: int) -> dict[int, int]:
        """Segments with data sent to our port, by DSCP."""
        return {dscp: n for (ours, dscp), n in self._arrived.items() if ours == port}


def tcp_mark(packet: bytes) -> tuple[int, int, bool, int] | None:
    """Source port, destination port, whether it has data, and DSCP; None if not TCP over IPv4."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return None
    start = (packet[0] & 15) * 4
    if len(packet) < start + 20:
        return None
    source, destination = struct.unpack_from("!HH", packet, start)
    header = (packet[start + 12] >> 4) * 4
    total = struct.unpack_from("!H", packet, 2)[0]
    return source, destination, total > start + header, packet[1] >> 2


@contextmanager
def tcp_ear(address: str, port: int) -> Iterator[TcpMarkCounter | None]:
    """Yield a counter, in the running loop, of segments from that address; None without the rights.

    Requires CAP_NET_RAW (root) and IPv4.
    """
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    except OSError:
        yield None
        return
    loop = asyncio.get_running_loop()
    with raw:
        raw.setblocking(False)
        try:
            raw.connect((address, 0))  # the kernel then passes only this sender's packets
        except OSError:
            yield None
            return
        ear = TcpMarkCounter(raw, port)
        loop.add_reader(raw.fileno(), ear.listen)
        try:
            yield ear
        finally:
            with contextlib.suppress(OSError):
                loop.remove_reader(raw.fileno())
