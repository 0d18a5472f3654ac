"""A STAMP session (RFC 8762), both ends: any Python from 3.5 on, and nothing but its own library.

    stamp.py send HOST PORT PACKETS RATE DSCP    one session; its packets as JSON on stdout
    stamp.py reflect ADDRESS PORT [SECONDS]      answers who asks, until it is ended

Unauthenticated mode, 44 octets. Asked by the Class of Service TLV (RFC 8972, 4.4), the reflector
tells with which DSCP a packet reached it, and answers with the DSCP that it is asked for. Each
session has sequence numbers of its own there: so the two directions' losses can be told apart.
A far end of TWAMP Light (RFC 5357, appendix I) answers as a reflector without the TLV.
"""

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time

BASE = 44  # octets of an unauthenticated packet (RFC 8762, 4.2.1)
TWAMP = 41  # of a TWAMP reflector's answer without padding (RFC 5357, 4.2.1)
NTP = 2208988800  # seconds from 1900 to 1970 (RFC 868)
# S: whether the clock is synchronised is unknown; scale 10, multiplier 1: about a microsecond.
ERROR_ESTIMATE = 0x0A01
COS, COS_LENGTH = 4, 4
UNRECOGNISED, MALFORMED = 0x80, 0x40
LATE = 1.5  # seconds to wait for the last answers
MOST_SESSIONS = 256  # per reflector; the oldest one is dropped
_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)  # Linux, socket.h
_RECVTOS, _RECVTTL = 13, 12  # Linux, in.h
_RECVTCLASS, _TCLASS, _RECVHOPLIMIT, _HOPLIMIT = 66, 67, 51, 52  # Linux, in6.h


def to_ntp(nanoseconds):
    """Nanoseconds since 1970 as a 64-bit NTP timestamp (RFC 5905, 6)."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return ((seconds + NTP) << 32) | ((rest << 32) // 10**9)


def from_ntp(stamp):
    """A 64-bit NTP timestamp as nanoseconds since 1970, accurate to a quarter nanosecond."""
    return ((stamp >> 32) - NTP) * 10**9 + (((stamp & 0xFFFFFFFF) * 10**9 + (1 << 31)) >> 32)


def request(sequence, sent, dscp):
    """A sender's packet with the TLV that requests the DSCP of both directions."""
    packet = struct.pack("!IQHH28x", sequence, to_ntp(sent), ERROR_ESTIMATE, 0)
    return packet + struct.pack("!BBHBBH", UNRECOGNISED, COS, COS_LENGTH, dscp << 2, 0, 0)


def answer(data, sequence, received, tos, ttl):
    """A reflector's packet up to its own timestamp (set last); None for an invalid request."""
    if len(data) < 14:
        return None
    asked, stamp, estimate = struct.unpack("!IQH", data[:14])
    head = struct.pack("!IQHH", sequence, 0, ERROR_ESTIMATE, 0)
    tail = struct.pack("!QIQHHB3x", to_ntp(received), asked, stamp, estimate, 0, ttl)
    return head + tail + _tlvs(data[BASE:], tos)


def _tlvs(data, tos):
    """The request's TLVs as they go into the answer (RFC 8972, 4)."""
    made = b""
    while len(data) >= 4:
        kind, length = struct.unpack("!BH", data[1:4])
        value = data[4 : 4 + length]
        if len(value) < length:
            return made + struct.pack("!B", MALFORMED) + data[1:]
        if kind == COS and length == COS_LENGTH:
            # DSCP1 as requested, DSCP2 and ECN as received, RP 0: the answer has the asked DSCP.
            made += struct.pack(
                "!BBHBBH", 0, COS, COS_LENGTH, (value[0] & 0xFC) | (tos >> 6), (tos << 2) & 0xFF, 0
            )
        else:
            made += struct.pack("!BBH", UNRECOGNISED, kind, length) + value
        data = data[4 + length :]
    return made


def asked_dscp(data):
    """The DSCP that a request wants for its answer; None if it has no such TLV."""
    if len(data) < BASE + 8:
        return None
    _, kind, length, first = struct.unpack("!BBHB", data[BASE : BASE + 5])
    return first >> 2 if (kind, length) == (COS, COS_LENGTH) else None


def told_dscp(data):
    """The DSCP with which the request reached the reflector; None if it does not report it."""
    if len(data) < BASE + 8:
        return None
    flags, kind, length, first, second = struct.unpack("!BBHBB", data[BASE : BASE + 6])
    if flags & (UNRECOGNISED | MALFORMED) or (kind, length) != (COS, COS_LENGTH):
        return None
    return ((first & 0x03) << 4) | (second >> 4)


def reading(data, arrived, tos):
    """An answer as one row: the values that the reflector reports, and those observed here.

    [sequence, sent, received there, sent there, arrived, sequence there, DSCP there, DSCP here,
    TTL there], times in nanoseconds since 1970; None for an invalid answer.
    """
    if len(data) < TWAMP:
        return None
    there, back, _, _, got, sequence, sent = struct.unpack("!IQHHQIQ", data[:36])
    ttl = struct.unpack("!B", data[40:41])[0]
    row = [sequence, from_ntp(sent), from_ntp(got), from_ntp(back), arrived, there]
    return [*row, told_dscp(data), None if tos is None else tos >> 2, ttl]


def opened(family):
    """A socket that reports the arrival time and the marks of each packet."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.setsockopt(socket.IPPROTO_IPV6, _RECVTCLASS, 1)
        made.setsockopt(socket.IPPROTO_IPV6, _RECVHOPLIMIT, 1)
    # For both families: an IPv6 socket that is bound to all addresses receives IPv4 packets too.
    made.setsockopt(socket.IPPROTO_IP, _RECVTOS, 1)
    made.setsockopt(socket.IPPROTO_IP, _RECVTTL, 1)
    return made


def mark(made, dscp):
    """Set the DSCP of the packets that the socket sends."""
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, _TCLASS, dscp << 2)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


def received(made):
    """The next packet: data, time (the kernel's, or ours), TOS and TTL or None, and its sender."""
    data, notes, _, peer = made.recvmsg(2048, 256)
    when, tos, ttl = None, None, None
    for level, kind, value in notes:
        if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPNS):
            seconds, rest = struct.unpack("@ll", value[: struct.calcsize("@ll")])
            when = seconds * 10**9 + rest
        elif (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS):
            tos = struct.unpack("B", value[:1])[0]
        elif (level, kind) == (socket.IPPROTO_IP, socket.IP_TTL):
            ttl = struct.unpack("@i", value[:4])[0]
        elif (level, kind) == (socket.IPPROTO_IPV6, _TCLASS):
            tos = struct.unpack("@i", value[:4])[0]
        elif (level, kind) == (socket.IPPROTO_IPV6, _HOPLIMIT):
            ttl = struct.unpack("@i", value[:4])[0]
    return data, now() if when is None else when, tos, ttl, peer


def now():
    """Nanoseconds since 1970; Python 3.5 and 3.6 have a resolution of a quarter microsecond."""
    return time.time_ns() if hasattr(time, "time_ns") else int(time.time() * 10**9)


def send(host, port, packets, rate, dscp):
    """Run one session: `packets` at `rate` per second; return the document of `stamp.py send`.

    Each packet has its own scheduled time, so that a late one does not delay the next ones.
    """
    family, _, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with opened(family) as made:
        mark(made, dscp)
        made.connect(target)
        made.setblocking(False)
        rows, refused, kept, why = [], 0, 0, None
        start = time.monotonic()
        # From 1, as if 0 had been lost: a reflector that counts itself answers 0, a copying one 1.
        for sequence in range(1, packets + 1):
            refused += _collect(made, rows, start + (sequence - 1) / rate)
            try:
                made.send(request(sequence, now(), dscp))
            except ConnectionRefusedError:  # reports an ICMP error of an earlier packet
                refused += 1
            except OSError as error:  # it was never sent: no loss of the path
                kept, why = kept + 1, error
        if why is not None and kept == packets:
            raise why
        refused += _collect(made, rows, time.monotonic() + LATE)
        sent = packets - kept
        return {"sent": sent, "rate": rate, "dscp": dscp, "refused": refused, "rows": rows}


def _collect(made, rows, until):
    """Receive answers until that time; return how often the port was reported closed."""
    refused = 0
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([made], [], [], left)[0]:
            return refused
        try:
            data, arrived, tos, _, _ = received(made)
        except OSError:
            refused += 1
            continue
        row = reading(data, arrived, tos)
        if row is not None:
            rows.append(row)


def reflect(address, port, seconds=None, ready=None):
    """Answer requests; call `ready` with the port once it listens."""
    family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    end = None if seconds is None else time.monotonic() + seconds
    sessions = {}
    with opened(family) as made:
        made.bind(place)
        if ready:
            ready(made.getsockname()[1])
        while end is None or time.monotonic() < end:
            left = 1.0 if end is None else min(1.0, max(0.0, end - time.monotonic()))
            if select.select([made], [], [], left)[0]:
                _reflected(made, sessions)


def _reflected(made, sessions):
    try:
        data, when, tos, ttl, peer = received(made)
    except OSError:
        return
    # A session is identified by address, port and the sender's own id (SSID, RFC 8972, 3).
    session = (peer, data[14:16])
    packet = answer(data, sessions.get(session, 0), when, tos or 0, 255 if ttl is None else ttl)
    if packet is None:
        return
    if session not in sessions and len(sessions) >= MOST_SESSIONS:
        del sessions[next(iter(sessions))]
    sessions[session] = sessions.get(session, 0) + 1
    wanted = asked_dscp(data)
    mark(made, 0 if wanted is None else wanted)
    try:
        made.sendto(packet[:4] + struct.pack("!Q", to_ntp(now())) + packet[12:], peer)
    except OSError:
        return


def foremost():
    """Raise the priority if permitted, so that waiting for the processor adds no delay."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)


def main(words):
    """Run one of the two ends; return the exit status."""
    foremost()
    if words[:1] == ["send"] and len(words) == 6:
        packets, rate, dscp = int(words[3]), int(words[4]), int(words[5])
        json.dump(send(words[1], int(words[2]), packets, rate, dscp), sys.stdout)
        return 0
    if words[:1] == ["reflect"] and len(words) in (3, 4):
        reflect(words[1], int(words[2]), float(words[3]) if len(words) == 4 else None)
        return 0
    sys.stderr.write(__doc__ + "\n")
    return 2


def _told(words):
    """Run `main`, and report errors of the system in one line."""
    try:
        return main(words)
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write("{}\n".format(error.strerror or error))
        return 3


if __name__ == "__main__":
    sys.exit(_told(sys.argv[1:]))
