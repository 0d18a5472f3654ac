"""What one machine sees of another's ports: an answer, a refusal of who was let in, or silence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from ucontact_appliance.lab.records import Machine, ssh_command

# For a Python on either machine. A UDP port that nobody holds is refused by ICMP, of which a kernel
# sends few a second: hence the tries.
_SCRIPT = r"""
import concurrent.futures, json, socket, sys

STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"ucontacttest"
SIP = ("OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};branch=z9hG4bKtest;rport\r\n"
       "From: <sip:t@{1}>;tag=t\r\nTo: <sip:{0}>\r\nCall-ID: t@{1}\r\nCSeq: 1 OPTIONS\r\n"
       "Max-Forwards: 1\r\nContent-Length: 0\r\n\r\n")

def tcp(address, port):
    with socket.socket() as s:
        s.settimeout(2)
        s.connect((address, port))

def udp(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((address, port))
        said = SIP.format(address, s.getsockname()[0]).encode() if port == 5060 else STUN
        for left in (2, 1, 0):
            s.send(said)
            try:
                s.recv(2000)
                return
            except socket.timeout:
                if not left:
                    raise

def look(edge):
    protocol, address, port = edge
    try:
        (tcp if protocol == "tcp" else udp)(address, port)
        return "open"
    except ConnectionRefusedError:
        return "refused"
    except (socket.timeout, OSError):
        return "silent"

edges = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print(json.dumps(list(pool.map(look, edges))))
"""


@dataclass(frozen=True)
class Edge:
    """A port of a machine."""

    protocol: str
    address: str
    port: int


def seen_from(source: Machine | None, edges: Iterable[Edge]) -> dict[Edge, str]:
    """`open`, `refused` or `silent` for each edge, as `source` (None: this machine) sees it."""
    asked = list(edges)
    text = json.dumps([[edge.protocol, edge.address, edge.port] for edge in asked])
    here = [sys.executable, "-c", _SCRIPT]
    there = [] if source is None else [*ssh_command(source.address), f"python3 -c '{_SCRIPT}'"]
    done = subprocess.run(there or here, input=text, capture_output=True, text=True, check=True)
    return dict(zip(asked, json.loads(done.stdout), strict=True))
