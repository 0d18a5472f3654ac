"""`make bench`, its part about encryption: what libsrtp alone takes for a call's packets.

Asterisk encrypts agents' media by libsrtp. This is its cipher alone, called from Python: what
DTLS-SRTP takes within Asterisk is more, and was not measured. Alone: `python -m tests.bench.srtp`.
"""

from __future__ import annotations

import os
import struct
import time
from statistics import median

from pylibsrtp import Policy, Session

_PACKETS = 20_000
_ROUNDS = 5
_PAYLOAD = 160  # octets: 20 ms of G.711
_A_SECOND = 100  # packets of one agent's leg: 50 sent, 50 received
_PROFILE = Policy.SRTP_PROFILE_AES128_CM_SHA1_80  # what Chrome and Asterisk agree on by DTLS


def microseconds() -> float:
    """Processor time to encrypt or decrypt one packet: the median of several rounds."""
    key = os.urandom(30)
    sender = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=_PROFILE))
    receiver = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=_PROFILE))
    payload, costs = os.urandom(_PAYLOAD), []
    for turn in range(_ROUNDS):
        numbers = range(turn * _PACKETS, (turn + 1) * _PACKETS)
        packets = [
            struct.pack(">BBHII", 0x80, 8, number & 0xFFFF, number * _PAYLOAD, 1) + payload
            for number in numbers
        ]
        began = time.process_time()
        for packet in packets:
            receiver.unprotect(sender.protect(packet))
        costs.append((time.process_time() - began) / (2 * _PACKETS) * 1e6)
    return median(costs)


def main() -> None:
    """The figure, and what it makes of a call."""
    cost = microseconds()
    percent = cost * _A_SECOND / 10_000
    print(f"libsrtp alone {cost:.1f} us a packet, {percent:.3f} % of a core for an agent's leg")


if __name__ == "__main__":
    main()
