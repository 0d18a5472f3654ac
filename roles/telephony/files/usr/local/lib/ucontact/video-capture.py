#!/usr/bin/python3
"""Capture the packets of calls with video while they are up (R05, R25).

With `recordings.video` a call whose caller offers video takes a leg from Asterisk to Asterisk over
the loopback interface, where its media is plain RTP. This service copies what passes there: it is
not in the call's way, and a call goes on when it ends. It follows the SIP of that leg to know which
call the packets belong to. When a call has ended, video-remux.py makes a .webm of its capture.
Python 3.5 and later.
"""

import argparse
import ctypes
import json
import os
import re
import socket
import struct
import sys
import time

import ucontact_video as video

LOOPBACK = "127.0.0.1"
SO_ATTACH_FILTER, SO_RCVBUFFORCE, PACKET_STATISTICS = 26, 33, 6
SOL_PACKET, ETH_P_IP, PACKET_OUTGOING = 263, 0x0800, 4
BUFFER_OCTETS = 8 << 20
MOST_OCTETS = 65535
IDLE_SECONDS = 180  # a call without packets for so long has ended
LOOK_SECONDS = 5
LEAST_FREE = 0.02  # of the file system: recordings of voice come first
MOST_CALLS = 500
FULL = "not captured any further: the file system is nearly full"
HEADER = re.compile(r"^(?P<name>[A-Za-z-]+)\s*:\s*(?P<value>.*?)\s*$")
SHORT = {"i": "call-id", "f": "from", "t": "to"}
TAG = re.compile(r";\s*tag=([^;>\s]+)")


def packet_filter(sip_port, rtp_first, rtp_last):
    """A classic BPF program: UDP from loopback to loopback, of SIP's port or of media's ports."""
    load_word, load_half, load_byte = 0x20, 0x28, 0x30
    equal, at_least, above, back = 0x15, 0x35, 0x25, 0x06
    address = struct.unpack(">I", socket.inet_aton(LOOPBACK))[0]
    drop, keep = 15, 14
    program = [
        (load_word, None, 0xFFFFF004),  # the packet's type: each passes twice
        (equal, (drop, None), PACKET_OUTGOING),
        (load_byte, None, 9),
        (equal, (None, drop), socket.IPPROTO_UDP),
        (load_word, None, 12),
        (equal, (None, drop), address),
        (load_word, None, 16),
        (equal, (None, drop), address),
        (load_half, None, 6),
        (0x45, (drop, None), 0x1FFF),  # a later fragment has no ports
        (load_half, None, 20),  # the kernel sends no options on loopback by itself
        (equal, (keep, None), sip_port),
        (at_least, (None, drop), rtp_first),
        (above, (drop, None), rtp_last),
        (back, None, 1 << 18),
        (back, None, 0),
    ]
    packed = b""
    for at, (code, jumps, value) in enumerate(program):
        true, false = (0 if one is None else one - at - 1 for one in jumps or (None, None))
        packed += struct.pack("HBBI", code, true, false, value)
    return packed


def listener(program):
    """A socket that gets copies of these packets. Raises OSError."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    buffer = ctypes.create_string_buffer(program)
    made.setsockopt(
        socket.SOL_SOCKET,
        SO_ATTACH_FILTER,
        struct.pack("HL", len(program) // 8, ctypes.addressof(buffer)),
    )
    try:
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS)
    except OSError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    made.bind(("lo", ETH_P_IP))
    made.settimeout(LOOK_SECONDS)
    return made


def udp(packet):
    """(source port, destination port, content) of an IPv4 packet that the filter let through."""
    start = 4 * (packet[0] & 15)
    if len(packet) < start + 8:
        return None
    source, target, length = struct.unpack_from(">HHH", packet, start)
    return source, target, packet[start + 8 : start + max(8, length)]


class Message:
    """A SIP message: its first line, headers, and body."""

    def __init__(self, data):
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.start = lines[0].split(" ")
        self.headers = {}
        for line in lines[1:]:
            found = HEADER.match(line)
            if found:
                name = found.group("name").lower()
                self.headers.setdefault(SHORT.get(name, name), found.group("value"))
        self.status = (
            int(self.start[1])
            if self.start[0] == "SIP/2.0" and len(self.start) > 1 and self.start[1].isdigit()
            else 0
        )
        self.method = self.headers.get("cseq", "").rpartition(" ")[2]

    def tag(self, name):
        """The tag of From or To; empty without one."""
        found = TAG.search(self.headers.get(name, ""))
        return found.group(1) if found else ""


class Call:
    """A call's streams, by the port that their packets come from, and its capture."""

    def __init__(self, identity, path, tag, now):
        self.identity = identity
        self.path = path
        self.tag = tag  # the caller's side of the dialog
        self.name = os.path.join(video.FOLDER, video.name_of(path))
        self.seen = now
        self.streams = {}  # port: stream
        self.about = {}  # stream: its payload types
        self.file = None

    def describe(self, side, body):
        """Take over the streams that this side announces."""
        for media in video.sdp_media(body):
            stream = video.NUMBERS.get((side, media.kind))
            if stream is None:
                continue
            self.streams = {p: s for p, s in self.streams.items() if s != stream}
            self.streams[media.port] = stream
            # A side names the payload types that it receives: those of the other side's packets.
            other = video.NUMBERS[(1 - side, media.kind)]
            for one in (stream, other):
                self.about.setdefault(one, {}).update(media.payloads)
        if self.file is not None:
            self._write_about()

    def has_video(self):
        """Whether both sides have announced video."""
        return {2, 4} <= set(self.streams.values())

    def open(self, resumed=False):
        """Begin the capture. Raises OSError."""
        self.file = open(self.name + video.GROWING, "ab")  # noqa: SIM115 - as long as the call
        if not resumed:
            self._write_about()

    def _write_about(self):
        content = {
            "call": self.identity,
            "path": self.path,
            "tag": self.tag,
            "ports": self.streams,
            "payloads": self.about,
        }
        self.write(time.time(), video.ABOUT, video.about(content))

    def write(self, now, stream, content):
        """Add a record. Raises OSError."""
        self.seen = now
        self.file.write(video.record(now, stream, content))

    def close(self):
        """End the capture: now it is to be made a .webm. Raises OSError."""
        if self.file is not None:
            try:
                self.file.close()
            except OSError as error:  # the disk is full; what is there can be used
                tell("%s: %s" % (self.path, error))
            self.file = None
            os.rename(self.name + video.GROWING, self.name + video.FINISHED)


class Capture:
    """The calls that are up, by Call-ID, and their streams by port."""

    def __init__(self):
        self.calls = {}
        self.ports = {}
        self.full = False

    def sip(self, data, now):
        """Follow the dialogs of the loopback leg."""
        message = Message(data)
        identity = message.headers.get("call-id", "")
        if message.status == 0 and message.start[0] == "INVITE":
            path = message.headers.get("x-ucontact-recording", "")
            if not message.tag("to") and video.name_of(path) and len(self.calls) < MOST_CALLS:
                self.calls[identity] = Call(identity, path, message.tag("from"), now)
        call = self.calls.get(identity)
        if call is None:
            return
        if message.status == 0 and message.start[0] in ("BYE", "CANCEL"):
            self.end(identity)
            return
        if message.method == "INVITE" and message.status >= 300 and call.file is None:
            if message.status not in (401, 407):
                self.end(identity)
            return
        if "application/sdp" in message.headers.get("content-type", ""):
            # Of a request From is the sender, of a response To.
            sender = message.tag("to" if message.status else "from")
            call.describe(video.CALLER if sender == call.tag else video.CALLED, message.body)
            self.listen()
        answered = message.method == "INVITE" and 200 <= message.status < 300
        if answered and call.file is None and call.has_video():
            if self.full:
                tell("%s: %s" % (call.path, FULL))
            else:
                call.open()

    def listen(self):
        """Take over the ports of all calls."""
        self.ports = {
            port: (call, stream)
            for call in self.calls.values()
            for port, stream in call.streams.items()
        }

    def media(self, port, data, now):
        """A packet from a port of a call's."""
        call, stream = self.ports.get(port, (None, 0))
        if call is not None and call.file is not None:
            try:
                call.write(now, stream, data)
            except OSError as error:
                tell("%s: %s" % (call.path, error))
                self.full = True
                call.close()

    def end(self, identity):
        """The call is over."""
        call = self.calls.pop(identity)
        self.listen()
        call.close()

    def look(self, now):
        """Write out what is buffered; end calls without packets, and all when the disk is full."""
        free = os.statvfs(video.FOLDER)
        self.full = free.f_bavail < free.f_blocks * LEAST_FREE
        for identity, call in list(self.calls.items()):
            if call.file is not None:
                call.file.flush()
            if self.full or now - call.seen > IDLE_SECONDS:
                if self.full and call.file is not None:
                    tell("%s: %s" % (call.path, FULL))
                self.end(identity)

    def resume(self, now):
        """Go on with captures of calls that are still up since this service was restarted."""
        for entry in sorted(os.listdir(video.FOLDER)):
            if not entry.endswith(video.GROWING):
                continue
            path = os.path.join(video.FOLDER, entry)
            about = {}
            good = 0
            with open(path, "rb") as file:
                for _, stream, content in video.records(file):
                    good += video.RECORD.size + len(content)
                    if stream == video.ABOUT:
                        about = json.loads(content.decode("ascii"))
            if not about:
                os.unlink(path)
                continue
            os.truncate(path, good)  # a record that was not written to its end
            call = Call(about["call"], about["path"], about["tag"], now)
            call.streams = {int(port): stream for port, stream in about["ports"].items()}
            call.about = {int(stream): one for stream, one in about["payloads"].items()}
            call.open(resumed=True)
            self.calls[call.identity] = call
        self.listen()


def tell(text):
    """Log it."""
    sys.stderr.write("%s\n" % text)
    sys.stderr.flush()


def main():
    """Capture for ever."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sip-port", type=int, required=True)
    parser.add_argument("--rtp", required=True, help="FIRST-LAST")
    options = parser.parse_args()
    first, last = (int(one) for one in options.rtp.split("-"))
    sock = listener(packet_filter(options.sip_port, first, last))
    capture = Capture()
    capture.resume(time.time())
    looked = 0.0
    while True:
        try:
            packet = sock.recv(MOST_OCTETS)
        except socket.timeout:
            packet = b""
        now = time.time()
        found = udp(packet) if packet else None
        if found is not None:
            source, target, content = found
            if source == target == options.sip_port:
                try:
                    capture.sip(content, now)
                except OSError as error:
                    tell(str(error))
            else:
                capture.media(source, content, now)
        if now - looked > LOOK_SECONDS:
            looked = now
            capture.look(now)
            dropped = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
            if dropped:
                tell("%d packets were not captured: the server is busy" % dropped)


if __name__ == "__main__":
    main()
