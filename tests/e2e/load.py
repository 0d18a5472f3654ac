"""Load for a telephony server: SIPp on another machine makes calls that the server bridges.

Each call comes in on a trunk, goes through the dialplan and out on the same trunk, to an answering
SIPp that sends all media back: 50 packets a second in each direction on each leg. What a call costs
is read from the processor time of the Asterisk process, which neighbours hardly move.
"""

from __future__ import annotations

import io
import math
import random
import shlex
import struct
import subprocess
import tarfile
import time
from array import array
from dataclasses import dataclass
from statistics import fmean

import av

from ucontact_appliance.facts.capacity import parse_run
from ucontact_appliance.lab.records import Machine, ssh_command
from ucontact_appliance.operate.benchmark import PROBE

TRUNK = "load"
# Numbers to call: bridged alone, and by the product's own way out, which records.
BRIDGED, RECORDED = "88", "77"
_FOLDER = "/root/load"
_SECONDS = 90  # of audio that a caller has
_PACKETS_A_SECOND = 50
_RATE = 10  # calls begun a second
_SETTLE = 3.0
_BASE_PORT = 5070
_MEDIA_PORT = 30000


@dataclass(frozen=True)
class Voice:
    """How a caller speaks: codec by libav's name, RTP payload type and name, clock, samples."""

    name: str
    encoder: str
    payload: int
    rtpmap: str
    rate: int


ALAW = Voice("alaw", "pcm_alaw", 8, "PCMA/8000", 8000)
ULAW = Voice("ulaw", "pcm_mulaw", 0, "PCMU/8000", 8000)
OPUS = Voice("opus", "libopus", 107, "opus/48000/2", 48000)


def speech(rate: int, seconds: float = 3.0) -> array[int]:
    """Something like a voice: harmonics of a moving pitch, syllables and pauses, 16 bits mono."""
    chance, samples, phase = random.Random(7), array("h"), 0.0
    for index in range(int(rate * seconds)):
        at = index / rate
        phase += 2 * math.pi * (120 + 20 * math.sin(4.4 * at)) / rate
        loud = 0.6 + 0.4 * math.sin(29.5 * at) if math.sin(19.5 * at) > -0.4 else 0.0
        sound = sum(
            math.sin(k * phase) / k * (1 + math.cos(0.9 * k + 2 * math.sin(8.2 * at)))
            for k in range(1, 15)
        )
        value = loud * sound * 0.15 + chance.gauss(0, 0.004)
        samples.append(int(max(-1.0, min(1.0, value)) * 26000))
    return samples


def encoded(voice: Voice) -> list[bytes]:
    """RTP payloads of 20 ms each, speech over and over."""
    context = av.CodecContext.create(voice.encoder, "w")
    context.sample_rate, context.layout, context.format = voice.rate, "mono", "s16"
    if voice is OPUS:
        context.bit_rate, context.options = 32000, {"application": "voip"}
    samples, step = speech(voice.rate), voice.rate // _PACKETS_A_SECOND
    whole = len(samples) // step
    packets: list[bytes] = []
    for index in range(_SECONDS * _PACKETS_A_SECOND):
        frame = av.AudioFrame(format="s16", layout="mono", samples=step)
        frame.sample_rate, frame.pts = voice.rate, index * step
        at = index % whole * step
        frame.planes[0].update(samples[at : at + step].tobytes())
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets


def capture(voice: Voice) -> bytes:
    """The voice as a pcap file (libpcap's classic format, Ethernet), for play_pcap_audio."""
    records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    step = voice.rate // _PACKETS_A_SECOND
    here = bytes((127, 0, 0, 1))
    for index, payload in enumerate(encoded(voice)):
        kind = voice.payload | (0x80 if index == 0 else 0)
        rtp = struct.pack(">BBHII", 0x80, kind, index & 0xFFFF, index * step, 0x1234) + payload
        udp = struct.pack(">HHHH", 40000, 40000, 8 + len(rtp), 0) + rtp
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), index & 0xFFFF, 0, 64, 17, 0)
        frame = bytes(12) + b"\x08\x00" + ip + here + here + udp
        seconds, part = divmod(index * 1_000_000 // _PACKETS_A_SECOND, 1_000_000)
        records.append(struct.pack("<IIII", seconds, part, len(frame), len(frame)) + frame)
    return b"".join(records)


_SDP = """\
v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP {payload}
a=rtpmap:{payload} {rtpmap}
"""
_ANSWER = """\
<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="answers">
  <recv request="INVITE"/>
  <send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
Content-Type: application/sdp
Content-Length: [len]

{sdp}]]></send>
  <recv request="ACK"/>
  <recv request="BYE"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""
_HEADS = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:load@[local_ip]:[local_port]>;tag=[pid]a[call_number]
{to}
Call-ID: [call_id]
CSeq: {sequence}
Contact: <sip:load@[local_ip]:[local_port]>
Max-Forwards: 70
"""
_CALL = """\
<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="calls">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
{invite}Content-Type: application/sdp
Content-Length: [len]

{sdp}]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
{ack}Content-Length: 0

]]></send>
  <nop><action><exec play_pcap_audio="{voice}.pcap"/></action></nop>
  <pause/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
{bye}Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""


def answer_scenario(voice: Voice) -> str:
    """Takes each call with that codec alone."""
    return _ANSWER.format(sdp=_SDP.format(payload=voice.payload, rtpmap=voice.rtpmap))


def call_scenario(voice: Voice) -> str:
    """Calls with that codec alone, and plays its capture."""
    first = "To: <sip:[service]@[remote_ip]:[remote_port]>"
    return _CALL.format(
        invite=_HEADS.format(to=first, sequence="1 INVITE"),
        ack=_HEADS.format(to="[last_To:]", sequence="1 ACK"),
        bye=_HEADS.format(to="[last_To:]", sequence="2 BYE"),
        sdp=_SDP.format(payload=voice.payload, rtpmap=voice.rtpmap),
        voice=voice.name,
    )


@dataclass(frozen=True)
class Busy:
    """The Asterisk process at one moment: seconds since boot, processor seconds, calls up."""

    at: float
    processor: float
    calls: int


@dataclass(frozen=True)
class Level:
    """So many calls: percent of a core that Asterisk took, and the yardstick meanwhile.

    The yardstick is the benchmark's own run (microseconds a packet, milliseconds a computation): it
    tells how slow neighbours made the processor at that moment.
    """

    calls: int
    percent: float
    relay_us: float
    compute_ms: float


@dataclass(frozen=True)
class Cost:
    """What calls of one kind took, in percent of a core: idle, and at each level."""

    idle: float
    levels: tuple[Level, ...]

    def percent(self, level: Level) -> float:
        """For one call at that level."""
        return (level.percent - self.idle) / level.calls


@dataclass(frozen=True)
class Load:
    """SIPp on `source`, calling Asterisk on `target`."""

    target: Machine
    source: Machine

    def install(self) -> None:
        """Install SIPp with its scenarios; needs nothing of the target."""
        run(
            self.source,
            "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && "
            "apt-get install -qq -y --no-install-recommends sip-tester >/dev/null 2>&1",
        )
        files = {"answer.xml": answer_scenario(ALAW).encode()}
        for voice in (ALAW, ULAW, OPUS):
            files[f"{voice.name}.xml"] = call_scenario(voice).encode()
            files[f"{voice.name}.pcap"] = capture(voice)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        run(self.source, f"mkdir -p {_FOLDER} && tar -C {_FOLDER} -xf -", packed.getvalue())

    def connect(self) -> None:
        """Give the target's dialplan the ways of the test, and have SIPp answer."""
        # One bridges alone, the other takes the product's own way out.
        for pattern, what in (
            (f"_{BRIDGED}X.", f"Dial,PJSIP/${{EXTEN}}@trunk-{TRUNK}"),
            (f"_{RECORDED}X.", f"Goto,internal,9${{EXTEN:{len(RECORDED)}}},1"),
        ):
            self.ask(f"dialplan add extension {pattern},1,{what} into from-trunks")
        self._sipp("answer", f"-sf answer.xml -aa -p 5060 -mp {_MEDIA_PORT} -rtp_echo")
        end = time.monotonic() + 30
        while " Avail " not in (seen := self.ask("pjsip show contacts")):
            assert time.monotonic() < end, seen
            self.ask(f"pjsip qualify trunk-{TRUNK}")
            time.sleep(1)

    def ask(self, command: str) -> str:
        """What Asterisk answers."""
        return run(self.target, f"asterisk -rx {shlex.quote(command)}")

    def calling(self, batch: int, calls: int, voice: Voice, prefix: str) -> None:
        """Begin so many calls; `batch` numbers what runs beside each other."""
        self._sipp(
            f"call-{batch}",
            f"-sf {voice.name}.xml {self.target.address}:5060 -p {_BASE_PORT + batch} "
            f"-mp {_MEDIA_PORT + 100 + 10 * batch} -s {prefix}100 -r {_RATE} -l {calls} -m {calls} "
            f"-d {_SECONDS * 1000}",
        )

    def hang_up(self) -> None:
        """End every call from the server's side, and the callers with them."""
        run(self.source, "systemctl stop 'load-call-*'")
        end = time.monotonic() + 20
        while self.busy().calls:
            assert time.monotonic() < end, self.ask("core show channels")
            self.ask("channel request hangup all")
            time.sleep(0.5)

    def cost(self, voice: Voice, prefix: str, levels: tuple[int, ...], window: float) -> Cost:
        """Levels of calls one on the other, each watched for `window` seconds."""
        begin = self.busy()
        time.sleep(4)
        idle = share(begin, self.busy())
        seen, up = [], 0
        try:
            for batch, calls in enumerate(levels):
                self.calling(batch, calls, voice, prefix)
                up += calls
                time.sleep(calls / _RATE + _SETTLE)
                begin = self.busy()
                yardstick = self.yardstick(window)
                end = self.busy()
                # Every call was there all the time: none failed, none ended.
                assert (begin.calls, end.calls) == (up, up), self.ask("core show channels count")
                seen.append(Level(up, share(begin, end), *yardstick))
        finally:
            self.hang_up()
        return Cost(idle, tuple(seen))

    def busy(self) -> Busy:
        """Asterisk's processor time by now (proc(5): fields 14 and 15 of stat, in ticks)."""
        said = run(
            self.target,
            "asterisk -rx 'core show channels count'; getconf CLK_TCK; "
            "pid=$(systemctl show asterisk -p MainPID --value); cat /proc/uptime /proc/$pid/stat",
        ).splitlines()
        ticks, uptime, stat = float(said[-3]), said[-2], said[-1]
        fields = stat.rsplit(")", 1)[1].split()
        calls = next(int(line.split()[0]) for line in said if "active call" in line)
        used = (int(fields[11]) + int(fields[12])) / ticks
        return Busy(float(uptime.split()[0]), used, calls)

    def yardstick(self, seconds: float) -> tuple[float, float]:
        """The benchmark's processor run for about that long: its mean figures."""
        code = PROBE.read_bytes()
        said = run(self.target, f"python3 - {max(1, round(seconds / 0.55))}", code)
        seen = parse_run(said)
        return fmean(seen.relay_us), fmean(seen.compute_ms)

    def _sipp(self, unit: str, words: str) -> None:
        run(
            self.source,
            f"systemctl reset-failed load-{unit} 2>/dev/null; systemd-run --quiet "
            f"--unit=load-{unit} -p WorkingDirectory={_FOLDER} -p LimitNOFILE=65536 "
            f"-p StandardOutput=null sipp {words} -i {self.source.address} -nostdin",
        )


def share(begin: Busy, end: Busy) -> float:
    """Percent of a core between two moments."""
    return (end.processor - begin.processor) / (end.at - begin.at) * 100


def run(machine: Machine, script: str, stdin: bytes = b"") -> str:
    """What a script says on the machine; it must succeed."""
    done = subprocess.run(
        [*ssh_command(machine.address), script],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{script}: {done.stdout!r} {done.stderr!r}"
    return done.stdout.decode(errors="replace")
