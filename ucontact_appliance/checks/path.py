"""Judges a measured network path by the requirements of R23 and R24."""

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
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.emodel import sound
from ucontact_appliance.planning.tables import NetworkRow, network

_EXPEDITED = 46  # EF, RFC 3246
_SATISFIED, _SOME_DISSATISFIED, _MANY_DISSATISFIED = 80.0, 70.0, 60.0  # R; ITU-T G.109, table 1


@dataclass(frozen=True)
class MeasuredPath:
    """A measured path from `source` to `target`.

    `calls` is the number of simultaneous calls for which the bandwidth is judged.
    """

    source: str
    target: str
    quality: PathQuality
    throughput: Throughput
    calls: int = 1


def judge_profile(path: MeasuredPath, limits: NetworkRow) -> Judgement:
    """Require delay, jitter and loss below a profile's limits.

    The measured value decides. A limit within the loss's confidence interval is reported, since a
    longer measurement may decide otherwise.
    """
    found = path.quality
    required = _(
        "round trip below {latency_ms:g} ms, jitter below {jitter_ms:g} ms, loss "
        "below {loss_percent:g} %, each way",
        latency_ms=limits.latency_ms,
        jitter_ms=limits.jitter_ms,
        loss_percent=limits.loss_percent,
    )
    evidence = "\n".join(_figures(found))
    slow = found.typical_ms >= limits.latency_ms
    over = [_("round trip {typical_ms:.1f} ms", typical_ms=found.typical_ms)] if slow else []
    over += [
        _("jitter {way} {jitter_ms:.1f} ms", way=way, jitter_ms=direction.jitter_ms)
        for way, direction in _ways(found)
        if direction.jitter_ms >= limits.jitter_ms
    ]
    over += [
        _("loss {way} {percent}", way=way, percent=_percent(loss))
        for way, loss in _losses(found)
        if loss.percent >= limits.loss_percent
    ]
    if over:
        return failed(_("over the limit: {over}", over=joined(", ", over)), required, evidence)
    lost = joined(
        ", ",
        (
            _("loss {way} {percent}", way=way, percent=_percent(loss))
            for way, loss in _losses(found)
        ),
    )
    observed = _(
        "round trip {typical_ms:.1f} ms, jitter {jitter}, {lost}",
        typical_ms=found.typical_ms,
        jitter=_jitter(found),
        lost=lost,
    )
    if any(loss.most >= limits.loss_percent for _, loss in _losses(found)):
        observed += _("; {sent} packets are too few for a reliable loss figure", sent=found.sent)
    return passed(observed, required, evidence)


def judge_bandwidth(path: MeasuredPath, limits: NetworkRow) -> Judgement:
    """Require the bandwidth that the path's calls need in each direction."""
    needed = limits.bandwidth_kbps * path.calls
    calls = _("a call") if path.calls == 1 else _("{calls} calls", calls=path.calls)
    required = _("{rate} up and down for {calls}", rate=_rate(needed), calls=calls)
    found = path.throughput
    if found.up_kbps is None or found.down_kbps is None:
        return skipped(_("not measured: {missing}", missing=found.missing), required)
    least = min(found.up_kbps, found.down_kbps)
    observed = _(
        "{rate} up, {rate2} down: enough for {least} concurrent calls",
        rate=_rate(found.up_kbps),
        rate2=_rate(found.down_kbps),
        least=int(least / limits.bandwidth_kbps),
    )
    judge = passed if least >= needed else failed
    return judge(
        observed, required, _("one TCP connection, {seconds} s each way", seconds=found.seconds)
    )


def judge_marks(path: MeasuredPath) -> Judgement:
    """Warn if the DSCP changes on the way, because routers then can't prioritise (R07)."""
    found = path.quality
    required = _("DSCP {dscp} is unchanged in both directions", dscp=found.dscp)
    told = [(way, direction.dscp) for way, direction in _ways(found) if direction.dscp]
    changed = [
        _("{way} as {map}", way=way, map=joined(", ", map(str, marks)))
        for way, marks in told
        if marks != (found.dscp,)
    ]
    if changed:
        remark = (
            _("the EF mark is lost on the path")
            if found.dscp == _EXPEDITED
            else _("the mark is changed on the path")
        )
        return warned(
            _("{remark}: arrives {changed}", remark=remark, changed=joined("; ", changed)),
            required,
        )
    if not told:
        return skipped(_("the far end does not report marks"), required)
    if len(told) == 1:
        return skipped(
            _("kept {told}; the far end does not report the other direction", told=told[0][0]),
            required,
        )
    return passed(_("kept both ways"), required)


def judge_order(path: MeasuredPath) -> Judgement:
    """Warn about duplicate or reordered packets; to a jitter buffer a late one counts as lost."""
    required = _("no packet is reordered or duplicated")
    found = path.quality
    seen = [
        _("{reordered} reordered {way}", reordered=d.reordered, way=way)
        for way, d in _ways(found)
        if d.reordered
    ]
    if found.duplicates:
        seen.append(_("{duplicates} duplicated", duplicates=found.duplicates))
    if seen:
        return warned(_("{seen}, of {sent}", seen=joined(", ", seen), sent=found.sent), required)
    return passed(
        _("{answered} packets, each once and in order", answered=found.answered), required
    )


def judge_sound(path: MeasuredPath) -> Judgement:
    """Judge a G.711 call over the worse direction by the E-model (ITU-T G.107, G.109)."""
    found = path.quality
    heard = min(
        (
            sound(found.one_way_ms, direction.jitter_ms, (direction.loss or found.loss).percent)
            for _, direction in _ways(found)
        ),
        key=lambda one: one.rating,
    )
    required = _(
        "R of {satisfied:g} or more for ulaw and alaw: users are satisfied (G.109)",
        satisfied=_SATISFIED,
    )
    observed = _("MOS {mos:.2f} (R {rating:.0f})", mos=heard.mos, rating=heard.rating)
    if heard.rating >= _SATISFIED:
        return passed(observed, required)
    if heard.rating >= _SOME_DISSATISFIED:
        return warned(_("{observed}: some users are dissatisfied", observed=observed), required)
    if heard.rating >= _MANY_DISSATISFIED:
        return warned(_("{observed}: many users are dissatisfied", observed=observed), required)
    return failed(_("{observed}: nearly all users are dissatisfied", observed=observed), required)


def findings(path: MeasuredPath, seconds: float) -> tuple[Finding, ...]:
    """Return one finding per judgement, like the doctor's; `seconds` is the measurement's time."""
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


_QUALITY = with_note(
    "ucontact doctor network --to {to} --seconds 120",
    _(
        "repeat at a quiet hour: if the result is good, the link is too small or has "
        "no QoS; otherwise check its Wi-Fi, VPN and provider"
    ),
)
_MARKS = with_note(
    "ucontact doctor network --to {to}",
    _(
        "repeat from places nearer to {to} to find the device that changes DSCP; "
        "configure it to trust the marks"
    ),
)


def _judged(
    path: MeasuredPath,
) -> Iterator[tuple[str, str, tuple[str, ...], Judgement, str]]:
    named: dict[str, str] = {"voip": _("voice"), "video": _("video")}
    to = path.target
    for limits in sorted(network().values(), key=lambda row: row.id, reverse=True):
        kind = named[limits.id]
        served = (limits.requirement,)
        yield (
            limits.id,
            _("Path quality is good enough for {kind}", kind=kind),
            served,
            judge_profile(path, limits),
            _QUALITY.format(to=to),
        )
        yield (
            f"{limits.id}.bandwidth",
            _("The path has enough bandwidth for {kind}", kind=kind),
            served,
            judge_bandwidth(path, limits),
            _QUALITY.format(to=to),
        )
    others: tuple[tuple[str, str, tuple[str, ...], Callable[[MeasuredPath], Judgement], str], ...]
    others = (
        ("sound", _("Call quality over the path is good"), ("R24",), judge_sound, _QUALITY),
        ("order", _("Packets stay in order"), ("R24",), judge_order, _QUALITY),
        ("marks", _("The path preserves DSCP marks for voice"), ("R07",), judge_marks, _MARKS),
    )
    for name, title, requirements, judge, remedy in others:
        yield name, title, requirements, judge(path), remedy.format(to=to)


def _ways(found: PathQuality) -> tuple[tuple[str, Direction], ...]:
    return (_("outbound"), found.out), (_("inbound"), found.back)


def _losses(found: PathQuality) -> list[tuple[str, Loss]]:
    ways = [(way, d.loss) for way, d in _ways(found) if d.loss is not None]
    # A far end that does not count packets gives no loss per direction.
    return ways or [(_("round trip"), found.loss)]


def _jitter(found: PathQuality) -> str:
    return _(
        "{jitter_ms:.1f} ms outbound and {jitter_ms2:.1f} ms inbound",
        jitter_ms=found.out.jitter_ms,
        jitter_ms2=found.back.jitter_ms,
    )


def _percent(loss: Loss) -> str:
    return _(
        "{percent:.2f} % ({least:.2f} to {most:.2f} %)",
        percent=loss.percent,
        least=loss.least,
        most=loss.most,
    )


def _rate(kbps: float) -> str:
    return (
        _("{kbps:.1f} Mbit/s", kbps=kbps / 1000)
        if kbps >= 1000
        else _("{kbps:.0f} kbit/s", kbps=kbps)
    )


def _figures(found: PathQuality) -> Iterator[str]:
    yield (
        _(
            "{sent} packets, {rate} per second, DSCP {dscp}; {answered} answered",
            sent=found.sent,
            rate=found.rate,
            dscp=found.dscp,
            answered=found.answered,
        )
    )
    yield (
        _(
            "round trip: {fastest_ms:.2f} ms at best, typically {typical_ms:.2f}, 95 % "
            "below {slow_ms:.2f}, {slowest_ms:.2f} at worst; one way about "
            "{one_way_ms:.2f} (half of it: clocks are not synchronized)",
            fastest_ms=found.fastest_ms,
            typical_ms=found.typical_ms,
            slow_ms=found.slow_ms,
            slowest_ms=found.slowest_ms,
            one_way_ms=found.one_way_ms,
        )
    )
    for way, direction in _ways(found):
        lost = (
            _("not reported by the far end") if direction.loss is None else _percent(direction.loss)
        )
        yield (
            _(
                "{way}: jitter {jitter_ms:.2f} ms, {worst_jitter_ms:.2f} at worst; loss "
                "{lost}; {reordered} reordered",
                way=way,
                jitter_ms=direction.jitter_ms,
                worst_jitter_ms=direction.worst_jitter_ms,
                lost=lost,
                reordered=direction.reordered,
            )
        )
