"""The quality of a path between two machines: a STAMP session (RFC 8762) and its figures.

`installer/probes/stamp.py` is the session's sender, on this machine or a site's host; this module
computes figures from its packets. The clocks need not agree: delays are round trips minus the far
end's processing time, and jitter is a difference in which the clock offset cancels out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, median
from typing import NamedTuple

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.language.messages import _
from ucontact_appliance.resources import INSTALLER

PROBE = INSTALLER / "probes" / "stamp.py"
_CONFIDENCE = 0.95
_GRACE_SECONDS = 15.0
_SETTLED = 32  # packets until RFC 3550's estimate, a filter of 1/16, has forgotten its start
_MS = 1e6  # nanoseconds


class AnsweredPacket(NamedTuple):
    """An answered packet, as the probe reports it; times in nanoseconds since 1970."""

    sequence: int
    sent: int
    received_there: int
    sent_there: int
    arrived: int
    sequence_there: int
    dscp_there: int | None
    dscp_here: int | None
    ttl_there: int


_CLOSED = _("{count} packets sent, the port is closed there")
_UNANSWERED = _("{count} packets sent, none answered")


@dataclass(frozen=True)
class Loss:
    """Packets lost out of those sent, with the bounds of a 95 % confidence interval in per cent.

    The bounds are Wilson's, which assume that losses are independent.
    """

    lost: int
    of: int
    least: float
    most: float

    @property
    def percent(self) -> float:
        """The observed loss."""
        return 100 * self.lost / self.of if self.of else 0.0


@dataclass(frozen=True)
class Direction:
    """One direction of a path: loss, jitter in ms (RFC 3550, over the session), reordered packets.

    `reordered` is by RFC 4737: packets that arrived after a later one. `dscp` are the DSCP values
    with which packets arrived; empty when the far end does not report them.
    """

    loss: Loss | None
    jitter_ms: float
    worst_jitter_ms: float
    reordered: int
    dscp: tuple[int, ...]


@dataclass(frozen=True)
class PathQuality:
    """A session's figures. Round trips are in ms, without the far end's processing time.

    `out` is towards the far end, `back` from it. If the far end does not count packets itself,
    both losses are None, and only the round trip's `loss` is known.
    """

    sent: int
    answered: int
    duplicates: int
    refused: int
    rate: int
    dscp: int
    loss: Loss
    fastest_ms: float
    typical_ms: float
    slow_ms: float
    slowest_ms: float
    out: Direction
    back: Direction

    @property
    def one_way_ms(self) -> float:
        """Half of the typical round trip: one way can't be measured without synchronised clocks."""
        return self.typical_ms / 2


def measure(runner: Runner, python: str, far_end: str, port: int, session: Session) -> PathQuality:
    """Run a session from the runner's host to `far_end`.

    Raises UnreachableError when nothing answers there, or when the sender can't run.
    """
    words = [python, "-", "send", far_end, str(port)]
    words += [str(session.packets), str(session.rate), str(session.dscp)]
    done = runner.run(
        words, timeout=session.seconds + _GRACE_SECONDS, stdin=PROBE.read_text(encoding="utf-8")
    )
    if done.status:
        raise UnreachableError(
            _("the probe to {far_end} can't be sent", far_end=far_end),
            evidence=done.stderr.strip()[-500:],
            helps=_(
                "the sending host needs Python 3.5 or later, and must be able to resolve the name"
            ),
        )
    return parse_session(done.stdout, far_end, port)


@dataclass(frozen=True)
class Session:
    """Parameters of a measurement: duration in seconds, packets per second, and DSCP value."""

    seconds: int = 30
    rate: int = 50
    dscp: int = 46

    @property
    def packets(self) -> int:
        """The number of packets to send."""
        return self.seconds * self.rate


def parse_session(text: str, far_end: str, port: int) -> PathQuality:
    """Parse the document of `stamp.py send`. Raises UnreachableError when nothing answered."""
    told = json.loads(text)
    rows = [AnsweredPacket(*row) for row in told["rows"]]
    if not rows:
        refused = told["refused"] > 0
        raise UnreachableError(
            _(
                "no STAMP reflector responds at {far_end}, UDP port {port}",
                far_end=far_end,
                port=port,
            ),
            evidence=(_CLOSED if refused else _UNANSWERED).filled(count=told["sent"]),
            helps=_(
                "on {far_end}: ucontact doctor network --reflect --port {port}",
                far_end=far_end,
                port=port,
            ),
        )
    return quality(rows, told["sent"], told["refused"], told["rate"], told["dscp"])


def quality(
    rows: Sequence[AnsweredPacket], sent: int, refused: int, rate: int, dscp: int
) -> PathQuality:
    """Compute the figures from a session's answers in order of arrival; at least one is needed."""
    first: dict[int, AnsweredPacket] = {}
    for row in rows:
        first.setdefault(row.sequence, row)
    answers = list(first.values())
    trips = sorted(
        (row.arrived - row.sent - (row.sent_there - row.received_there)) / _MS for row in answers
    )
    there = sorted(answers, key=lambda row: row.received_there)
    reached = _reached(rows, sent)
    return PathQuality(
        sent=sent,
        answered=len(answers),
        duplicates=len(rows) - len(answers),
        refused=refused,
        rate=rate,
        dscp=dscp,
        loss=loss(sent - len(answers), sent),
        fastest_ms=trips[0],
        typical_ms=median(trips),
        slow_ms=trips[min(len(trips) - 1, int(0.95 * len(trips)))],
        slowest_ms=trips[-1],
        out=_direction(
            None if reached is None else loss(sent - reached, sent),
            [(row.sent, row.received_there) for row in there],
            [row.sequence for row in there],
            (row.dscp_there for row in answers),
        ),
        back=_direction(
            None if reached is None else loss(max(0, reached - len(answers)), reached),
            [(row.sent_there, row.arrived) for row in answers],
            [row.sequence_there for row in answers],
            (row.dscp_here for row in answers),
        ),
    )


def _reached(rows: Sequence[AnsweredPacket], sent: int) -> int | None:
    """The number of packets that reached the far end, by its own count; None if it does not count.

    Its last count is the number that arrived, except those lost at the very end and duplicates: it
    answers a duplicated packet with two numbers.
    """
    if all(row.sequence_there == row.sequence for row in rows):
        return None
    last = max(row.sequence_there for row in rows)
    twice = len({row.sequence_there for row in rows}) - len({row.sequence for row in rows})
    came = last + 1 - twice
    # A count above the number sent: the far end continued an older session's count.
    return came if came <= sent else None


def _direction(
    lost: Loss | None,
    times: Sequence[tuple[int, int]],
    order: Sequence[int],
    marks: Iterable[int | None],
) -> Direction:
    estimates = jitter(times)
    settled = estimates[_SETTLED:] or estimates
    return Direction(
        loss=lost,
        jitter_ms=fmean(settled) if settled else 0.0,
        worst_jitter_ms=max(settled, default=0.0),
        reordered=reordered(order),
        dscp=tuple(sorted({mark for mark in marks if mark is not None})),
    )


def jitter(times: Sequence[tuple[int, int]]) -> list[float]:
    """RFC 3550's jitter estimate after each packet, in ms (6.4.1), for (sent, arrived) in ns.

    The RFC's filter covers about the last sixteen packets; over a session its mean is reported.
    """
    estimate, estimates = 0.0, []
    for (sent, arrived), (next_sent, next_arrived) in pairwise(times):
        difference = abs((next_arrived - arrived) - (next_sent - sent)) / _MS
        estimate += (difference - estimate) / 16
        estimates.append(estimate)
    return estimates


def reordered(order: Sequence[int]) -> int:
    """The number of packets that arrived after one that was sent later (RFC 4737, 3.3)."""
    count, expected = 0, 0
    for number in order:
        if number < expected:
            count += 1
        else:
            expected = number + 1
    return count


def loss(lost: int, of: int) -> Loss:
    """The loss with its bounds: Wilson's score interval for `lost` out of `of`."""
    if of <= 0:
        return Loss(0, 0, 0.0, 100.0)
    z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
    share = lost / of
    middle: float = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * ((share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5)
    return Loss(lost, of, max(0.0, 100 * (middle - half)), min(100.0, 100 * (middle + half)))
