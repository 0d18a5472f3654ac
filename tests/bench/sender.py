"""Calls for a telephony server, by hand: SIP over UDP, and RTP whose every packet is counted.

Runs on a machine of its own with nothing but Python: `python3 sender.py HERE TARGET` with the RTP
payloads of each codec (hex) on the first line of stdin, then a JSON command per line, each answered
by a line. It is both ends of a call: the caller, and the trunk that the server calls.

All calls share one media port at each end and are told apart by the server's port. The packet of a
tick is the same for all calls, so that sending takes little of the processor that the server needs.
"""

import itertools
import json
import multiprocessing
import re
import selectors
import socket
import sys
import time

PORT, CALLER_MEDIA, ECHO_MEDIA = 5060, 30000, 30002
TICK = 0.02
SLICES = 5  # of a tick: the calls' packets are spread over it
BUFFER = 32 << 20  # octets of a socket
TIMEOUT = 8.0  # seconds until a call without a final answer has failed
WARM_TICKS = 25  # of media before it is counted
QUIET = 0.4  # seconds: what is still on its way arrives
PAYLOAD_TYPES = {"alaw": (8, "PCMA/8000", 160), "opus": (107, "opus/48000/2", 960)}
FORK = multiprocessing.get_context("fork")


def bound(address, port):
    """A UDP socket with a large buffer."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, 33, BUFFER)  # SO_RCVBUFFORCE
    sock.setsockopt(socket.SOL_SOCKET, 32, BUFFER)  # SO_SNDBUFFORCE
    sock.bind((address, port))
    return sock


def echo(sock, both_ways, heard):
    """Count all media, and send it back while `both_ways` is set."""
    while True:
        data, where = sock.recvfrom(2048)
        heard.value += 1
        if both_ways.value:
            sock.sendto(data, where)


def receive(sock, pipe):
    """Count packets per port of the server; answer a request with the counts."""
    counts = {}
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    selector.register(pipe, selectors.EVENT_READ)
    sock.setblocking(False)
    while True:
        for key, _ in selector.select():
            if key.fileobj is pipe:
                pipe.recv()
                pipe.send(counts)
                counts = {}
                continue
            try:
                for _ in range(64):
                    port = sock.recvfrom(2048)[1][1]
                    counts[port] = counts.get(port, 0) + 1
            except BlockingIOError:
                pass


def send(sock, target, pipe, payloads):
    """Send a packet per call and tick; the pipe brings (codec, ports, ticks), and gets lateness."""
    groups, ticks, number = [], 0, 0
    due = time.monotonic()
    late = 0.0
    while True:
        if ticks == 0:
            if groups:
                pipe.send(late)
            groups, ticks = pipe.recv()
            due, late = time.monotonic(), 0.0
            if not ticks:
                groups = []
                continue
        packets = []
        for codec, ports in groups:
            kind, _, samples = PAYLOAD_TYPES[codec]
            head = bytes((0x80, kind)) + (number & 0xFFFF).to_bytes(2, "big")
            head += (number * samples & 0xFFFFFFFF).to_bytes(4, "big") + b"\0\0\x12\x34"
            sound = payloads[codec][number % len(payloads[codec])]
            packets += [(head + sound, (target, port)) for port in ports]
        step = len(packets) / SLICES
        for piece in range(SLICES):
            for packet, where in packets[int(piece * step) : int((piece + 1) * step)]:
                sock.sendto(packet, where)
            due += TICK / SLICES
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            else:
                late = max(late, -pause)
        number += 1
        ticks -= 1


class Call:
    """A call of ours; `state` is begun, up or ended, `status` its final answer, 0 for none."""

    def __init__(self, number, caller, codec, target):
        self.number, self.caller, self.codec = number, caller, codec
        self.state, self.status, self.port, self.to = "begun", 0, 0, ""
        self.target, self.began, self.again = target, time.monotonic(), time.monotonic() + 1
        self.connected = 0.0


class Sender:
    """Signalling: places calls, answers the server's, in one thread."""

    def __init__(self, here, target, payloads):
        self.here, self.target = here, target
        self.sip = bound(here, PORT)
        self.sip.setblocking(False)
        media = bound(here, CALLER_MEDIA)
        self.both_ways = FORK.Value("b", 1, lock=False)
        self.heard = FORK.Value("q", 0, lock=False)
        back = bound(here, ECHO_MEDIA)
        self.counting, child = FORK.Pipe()
        self.sending, other = FORK.Pipe()
        for work, words in (
            (echo, (back, self.both_ways, self.heard)),
            (receive, (media, child)),
            (send, (media, target, other, payloads)),
        ):
            FORK.Process(target=work, args=words, daemon=True).start()
        self.calls, self.tokens = {}, itertools.count(time.time_ns())
        self.callee_codec = "alaw"

    def sdp(self, port, codec):
        """A description of one audio stream of that codec."""
        kind, name, _ = PAYLOAD_TYPES[codec]
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.here}\r\ns=-\r\nc=IN IP4 {self.here}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {kind}\r\na=rtpmap:{kind} {name}\r\na=ptime:20\r\n"
        )

    def request(self, method, call_id, call, sequence, body=""):
        """Send one of the caller's requests."""
        branch = f"z9hG4bK{call_id}{'INVITE' if method == 'ACK' and call.status >= 300 else method}"
        uri = call.target if method != "INVITE" else f"sip:{call.number}@{self.target}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.here}:{PORT};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:{call.caller}@{self.here}>;tag={call_id}",
            f"To: {call.to or f'<sip:{call.number}@{self.target}>'}",
            f"Call-ID: {call_id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{call.caller}@{self.here}:{PORT}>",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        text = "\r\n".join(lines) + "\r\n\r\n" + body
        self.sip.sendto(text.encode(), (self.target, PORT))

    def begin(self, number, codec):
        """Begin a call; returns its id."""
        call_id = f"load{next(self.tokens)}"
        call = Call(number, call_id[-9:], codec, f"sip:{number}@{self.target}")
        self.calls[call_id] = call
        self.request("INVITE", call_id, call, 1, self.sdp(CALLER_MEDIA, codec))
        return call_id

    def hang_up(self, call_id):
        """End one call that is up."""
        call = self.calls[call_id]
        if call.state == "up":
            self.request("BYE", call_id, call, 2)
        call.state = "ended"

    def listen(self, until):
        """Answer and note what comes, until that moment."""
        while True:
            try:
                while True:
                    self.message(*self.sip.recvfrom(65535))
            except BlockingIOError:
                pass
            now = time.monotonic()
            for call_id, call in self.calls.items():
                if call.state == "begun" and now > call.again:
                    call.again = now + 2
                    self.request("INVITE", call_id, call, 1, self.sdp(CALLER_MEDIA, call.codec))
            if now >= until:
                return
            time.sleep(min(0.002, until - now))

    def message(self, data, where):
        """One message of the server's."""
        text = data.decode()
        if text.startswith("SIP/2.0 "):
            self.response(text)
            return
        if text.startswith("ACK"):
            return
        body = ""
        if text.startswith("INVITE"):
            body = self.sdp(ECHO_MEDIA, self.callee_codec)
            caller = re.search(r"^From:.*<sip:(\d+)@", text, re.MULTILINE)
            for call in self.calls.values():
                if caller and call.caller == caller[1]:
                    call.connected = time.monotonic()
        elif text.startswith("BYE"):
            found = self.calls.get(header(text, "Call-ID"))
            if found:
                found.state = "ended"
        kept = [
            line + (";tag=far" if line.startswith("To:") and ";tag=" not in line else "")
            for line in text.split("\r\n\r\n")[0].split("\r\n")[1:]
            if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
        ]
        more = [f"Contact: <sip:load@{self.here}:{PORT}>"]
        if body:
            more.append("Content-Type: application/sdp")
        answer = ["SIP/2.0 200 OK", *kept, *more, f"Content-Length: {len(body)}"]
        self.sip.sendto(("\r\n".join(answer) + "\r\n\r\n" + body).encode(), where)

    def response(self, text):
        """One response to a request of ours."""
        call_id, status = header(text, "Call-ID"), int(text[8:11])
        call = self.calls.get(call_id)
        if call is None:
            return
        call.again = time.monotonic() + 60  # it was heard: no repeat
        if status < 200 or not header(text, "CSeq").endswith("INVITE"):
            return
        call.to = header(text, "To")
        if status < 300:
            contact = re.search(r"^Contact:.*<([^>]+)>", text, re.MULTILINE)
            port = re.search(r"^m=audio (\d+) ", text, re.MULTILINE)
            call.target = contact[1] if contact else call.target
            call.port = int(port[1]) if port else 0
        first, call.status = not call.status, status
        self.request("ACK", call_id, call, 1)
        if first:
            call.state = "up" if status == 200 else "ended"

    def stats(self):
        """How many calls are up, and the statuses of those that are not (0: no answer in time)."""
        now = time.monotonic()
        for call in self.calls.values():
            if call.state == "begun" and now - call.began > TIMEOUT:
                call.state = "ended"
        ended = [c.status for c in self.calls.values() if c.state == "ended"]
        return {
            "up": sum(c.state == "up" for c in self.calls.values()),
            "failed": {str(status): ended.count(status) for status in set(ended)},
        }

    def place(self, number, calls, rate, codec, callee):
        """So many further calls; waits until each is up or has failed."""
        self.callee_codec = callee
        begin = time.monotonic()
        for index in range(calls):
            self.listen(begin + index / rate)
            self.begin(number, codec)
        end = time.monotonic() + TIMEOUT
        while any(c.state == "begun" for c in self.calls.values()) and time.monotonic() < end:
            self.listen(time.monotonic() + 0.05)
        self.listen(time.monotonic() + 0.2)
        return self.stats()

    def talk(self, seconds, both_ways):
        """Media on all calls for `seconds`: packets sent, and those that came back.

        The answer's `seconds` are those in which media was sent, the first ones included.

        Both ways: what the far end got comes back through the server, and is counted per call.
        One way: the far end counts it for all calls together.
        """
        self.both_ways.value = both_ways
        up = [c for c in self.calls.values() if c.state == "up"]
        groups = [(codec, [c.port for c in up if c.codec == codec]) for codec in PAYLOAD_TYPES]
        # First so many that the server knows the source; they are not counted.
        self.run(groups, WARM_TICKS)
        self.counting.send(None)
        self.counting.recv()
        ticks, before = int(seconds / TICK), self.heard.value
        late = self.run(groups, ticks)
        self.counting.send(None)
        counts = self.counting.recv()
        received = sum(min(ticks, counts.get(call.port, 0)) for call in up)
        return {
            **self.stats(),
            "sent": ticks * len(up),
            "received": received if both_ways else self.heard.value - before,
            "seconds": (ticks + WARM_TICKS) * TICK,
            "late_ms": round(late * 1000),
        }

    def run(self, groups, ticks):
        """Send so many ticks; returns the greatest lateness in seconds."""
        self.sending.send((groups, ticks))
        while not self.sending.poll():
            self.listen(time.monotonic() + 0.02)
        late = self.sending.recv()
        self.listen(time.monotonic() + QUIET)
        return late

    def queue(self, number, rate, seconds, talk):
        """Calls to a queue at that rate; each ends `talk` seconds after an agent has taken it."""
        begin, ids = time.monotonic(), []
        for index in range(int(rate * seconds)):
            self.finish(ids, begin + index / rate, talk)
            ids.append(self.begin(number, "alaw"))
        end = time.monotonic() + TIMEOUT + talk
        while any(self.calls[i].state != "ended" for i in ids) and time.monotonic() < end:
            self.finish(ids, time.monotonic() + 0.05, talk)
        waits = [c.connected - c.began for c in (self.calls[i] for i in ids) if c.connected]
        for one in ids:
            self.hang_up(one)
        return {
            "calls": len(ids),
            "connected": len(waits),
            "slowest": round(max(waits, default=0.0), 3),
        }

    def finish(self, ids, until, talk):
        """Listen until then, and end the calls that an agent had for long enough."""
        while True:
            now = time.monotonic()
            for one in ids:
                call = self.calls[one]
                if call.state == "up" and call.connected and now - call.connected > talk:
                    self.hang_up(one)
            if now >= until:
                return
            self.listen(min(until, now + 0.02))

    def answer_with(self, codec):
        """Take the server's calls with that codec, and send their media back."""
        self.callee_codec, self.both_ways.value = codec, 1
        return {}

    def clear(self):
        """End all calls."""
        for index, call_id in enumerate(list(self.calls)):
            self.hang_up(call_id)
            if index % 20 == 0:
                self.listen(time.monotonic() + 0.05)
        self.listen(time.monotonic() + 1)
        self.calls.clear()
        return self.stats()


def header(text, name):
    """The value of a header, empty if there is none."""
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", text, re.MULTILINE)
    return found[1] if found else ""


def main():
    """Obey the commands of stdin: {"do": METHOD, ...its arguments}."""
    payloads = {
        codec: [bytes.fromhex(one) for one in packets]
        for codec, packets in json.loads(sys.stdin.readline()).items()
    }
    sender = Sender(sys.argv[1], sys.argv[2], payloads)
    print(json.dumps({"ready": True}), flush=True)
    while True:
        # OPTIONS are answered while no command is at work.
        selector = selectors.DefaultSelector()
        selector.register(sys.stdin, selectors.EVENT_READ)
        if not selector.select(0.05):
            sender.listen(time.monotonic())
            continue
        line = sys.stdin.readline()
        if not line:
            return
        words = json.loads(line)
        print(json.dumps(getattr(sender, words.pop("do"))(**words)), flush=True)


if __name__ == "__main__":
    main()
