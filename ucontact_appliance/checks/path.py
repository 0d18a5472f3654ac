"""What R23 and R24 ask of a network, judged of a path that was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ucontact_appliance.checks.model import (
    Finding,
    Judgement,
    Severity,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.path import Direction, Loss, PathQuality
from ucontact_appliance.facts.throughput import Throughput
from ucontact_appliance.planning.emodel import sound
from ucontact_appliance.planning.tables import NetworkRow, network

_EXPEDITED = 46  # EF, RFC 3246
_SATISFIED, _SOME_DISSATISFIED, _MANY_DISSATISFIED = 80.0, 70.0, 60.0  # R; ITU-T G.109, table 1


@dataclass(frozen=True)
class MeasuredPath:
    """A path as it was measured: from where, to where, and what it has to carry.

    `calls` at once are what the bandwidth is judged for.
    """

    source: str
    target: str
    quality: PathQuality
    throughput: Throughput
    calls: int = 1


def judge_profile(path: MeasuredPath, limits: NetworkRow) -> Judgement:
    """Delay, jitter and loss against a profile's limits; each must stay below its own.

    What was measured decides. A limit within the loss's confidence interval is told, since a
    longer measurement may decide otherwise.
    """
    found = path.quality
    required = (
        f"round trip below {limits.latency_ms:g} ms, jitter below {limits.jitter_ms:g} ms, "
        f"loss below {limits.loss_percent:g} %, each way"
    )
    evidence = "\n".join(_figures(found))
    slow = found.typical_ms >= limits.latency_ms
    over = [f"round trip {found.typical_ms:.1f} ms"] if slow else []
    over += [
        f"jitter {way} {direction.jitter_ms:.1f} ms"
        for way, direction in _ways(found)
        if direction.jitter_ms >= limits.jitter_ms
    ]
    over += [
        f"loss {way} {_percent(loss)}"
        for way, loss in _losses(found)
        if loss.percent >= limits.loss_percent
    ]
    if over:
        return failed(f"over the limit: {', '.join(over)}", required, evidence)
    lost = ", ".join(f"loss {way} {_percent(loss)}" for way, loss in _losses(found))
    observed = f"round trip {found.typical_ms:.1f} ms, jitter {_jitter(found)}, {lost}"
    if any(loss.most >= limits.loss_percent for _, loss in _losses(found)):
        observed += f"; {found.sent} packets are too few to be sure of the loss"
    return passed(observed, required, evidence)


def judge_bandwidth(path: MeasuredPath, limits: NetworkRow) -> Judgement:
    """What came through each way against what so many calls need."""
    needed = limits.bandwidth_kbps * path.calls
    calls = "a call" if path.calls == 1 else f"{path.calls} calls"
    required = f"{_rate(needed)} up and down for {calls}"
    found = path.throughput
    if found.up_kbps is None or found.down_kbps is None:
        return skipped(f"not measured: {found.missing}", required)
    least = min(found.up_kbps, found.down_kbps)
    observed = (
        f"{_rate(found.up_kbps)} up, {_rate(found.down_kbps)} down: enough for "
        f"{int(least / limits.bandwidth_kbps)} at once"
    )
    judge = passed if least >= needed else failed
    return judge(observed, required, f"one TCP connection, {found.seconds} s each way")


def judge_marks(path: MeasuredPath) -> Judgement:
    """R07: what was marked arrives marked, or routers can't prefer it."""
    found = path.quality
    required = f"DSCP {found.dscp} arrives as {found.dscp} both ways"
    told = [(way, direction.dscp) for way, direction in _ways(found) if direction.dscp]
    changed = [
        f"{way} as {', '.join(map(str, marks))}" for way, marks in told if marks != (found.dscp,)
    ]
    if changed:
        remark = "EF is lost on the way" if found.dscp == _EXPEDITED else "the mark is changed"
        return warned(f"{remark}: it arrives {'; '.join(changed)}", required)
    if not told:
        return skipped("the far end tells nothing of marks", required)
    if len(told) == 1:
        return skipped(f"kept {told[0][0]}; the far end does not tell of the other way", required)
    return passed("kept both ways", required)


def judge_order(path: MeasuredPath) -> Judgement:
    """Packets that overtake each other cost a jitter buffer as much as lost ones."""
    required = "no packet overtakes another, and none comes twice"
    found = path.quality
    seen = [f"{d.reordered} reordered {way}" for way, d in _ways(found) if d.reordered]
    if found.duplicates:
        seen.append(f"{found.duplicates} came twice")
    if seen:
        return warned(f"{', '.join(seen)}, of {found.sent}", required)
    return passed(f"{found.answered} packets, each once and in order", required)


def judge_sound(path: MeasuredPath) -> Judgement:
    """The E-model's opinion of a G.711 call over the worse way (ITU-T G.107, G.109)."""
    found = path.quality
    heard = min(
        (
            sound(found.one_way_ms, direction.jitter_ms, (direction.loss or found.loss).percent)
            for _, direction in _ways(found)
        ),
        key=lambda one: one.rating,
    )
    required = f"R of {_SATISFIED:g} or more for ulaw and alaw: users are satisfied (G.109)"
    observed = f"MOS {heard.mos:.2f} (R {heard.rating:.0f})"
    if heard.rating >= _SATISFIED:
        return passed(observed, required)
    if heard.rating >= _SOME_DISSATISFIED:
        return warned(f"{observed}: some users are dissatisfied", required)
    if heard.rating >= _MANY_DISSATISFIED:
        return warned(f"{observed}: many users are dissatisfied", required)
    return failed(f"{observed}: nearly all users are dissatisfied", required)


def findings(path: MeasuredPath, seconds: float) -> tuple[Finding, ...]:
    """One finding a judgement, as the doctor has them; `seconds` is what measuring took."""
    return tuple(
        Finding(
            id=f"path.{name}",
            title=title,
            verdict=judgement.verdict,
            severity=Severity.HIGH,
            requirements=requirements,
            host=f"{path.source} -> {path.target}",
            observed=judgement.observed,
            required=judgement.required,
            evidence=judgement.evidence,
            remedy="" if judgement.verdict.value in ("pass", "skip") else remedy,
            seconds=round(seconds, 1),
        )
        for name, title, requirements, judgement, remedy in _judged(path)
    )


_QUALITY = (
    "ucontact doctor network --to {to} --seconds 120  # again at a quiet hour: if it is good then, "
    "the line is too small or has no QoS; if not, look at its Wi-Fi, VPN and provider"
)
_MARKS = (
    "ucontact doctor network --to {to}  # from a place nearer to {to}, until the device is found "
    "that changes DSCP: have it trust the marks"
)


def _judged(
    path: MeasuredPath,
) -> Iterator[tuple[str, str, tuple[str, ...], Judgement, str]]:
    named: dict[str, str] = {"voip": "voice", "video": "video"}
    to = path.target
    for limits in sorted(network().values(), key=lambda row: row.id, reverse=True):
        kind = named[limits.id]
        served = (limits.requirement,)
        yield (
            limits.id,
            f"The path is good enough for {kind}",
            served,
            judge_profile(path, limits),
            _QUALITY.format(to=to),
        )
        yield (
            f"{limits.id}.bandwidth",
            f"The path carries {kind}",
            served,
            judge_bandwidth(path, limits),
            _QUALITY.format(to=to),
        )
    others: tuple[tuple[str, str, tuple[str, ...], Callable[[MeasuredPath], Judgement], str], ...]
    others = (
        ("sound", "A call over the path sounds well", ("R24",), judge_sound, _QUALITY),
        ("order", "Packets stay in order", ("R24",), judge_order, _QUALITY),
        ("marks", "The path keeps the marks of voice", ("R07",), judge_marks, _MARKS),
    )
    for name, title, requirements, judge, remedy in others:
        yield name, title, requirements, judge(path), remedy.format(to=to)


def _ways(found: PathQuality) -> tuple[tuple[str, Direction], ...]:
    return ("there", found.out), ("back", found.back)


def _losses(found: PathQuality) -> list[tuple[str, Loss]]:
    ways = [(way, d.loss) for way, d in _ways(found) if d.loss is not None]
    # A far end that does not count tells nothing of the directions.
    return ways or [("there and back", found.loss)]


def _jitter(found: PathQuality) -> str:
    return f"{found.out.jitter_ms:.1f} ms there and {found.back.jitter_ms:.1f} ms back"


def _percent(loss: Loss) -> str:
    return f"{loss.percent:.2f} % ({loss.least:.2f} to {loss.most:.2f} %)"


def _rate(kbps: float) -> str:
    return f"{kbps / 1000:.1f} Mbit/s" if kbps >= 1000 else f"{kbps:.0f} kbit/s"


def _figures(found: PathQuality) -> Iterator[str]:
    yield (
        f"{found.sent} packets, {found.rate} a second, DSCP {found.dscp}; {found.answered} answered"
    )
    yield (
        f"round trip: {found.fastest_ms:.2f} ms at best, typically {found.typical_ms:.2f}, 95 % "
        f"below {found.slow_ms:.2f}, {found.slowest_ms:.2f} at worst; one way about "
        f"{found.one_way_ms:.2f} (half of it: the clocks are not compared)"
    )
    for way, direction in _ways(found):
        lost = "not told by the far end" if direction.loss is None else _percent(direction.loss)
        yield (
            f"{way}: jitter {direction.jitter_ms:.2f} ms, "
            f"{direction.worst_jitter_ms:.2f} at worst; loss {lost}; "
            f"{direction.reordered} reordered"
        )
