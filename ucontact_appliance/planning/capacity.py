"""Predict from a measurement of the telephony server how many calls it carries, and what limits it.

A call's processor time has two parts. The cost of relaying its packets (and writing its recording)
comes from the reference machine in `data/capacity.yml`, scaled by the ratio of a short benchmark on
both machines. The cost of each codec translation is what Asterisk itself measured on this machine.
Processor time is in percent of one core for as long as the call lasts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median, quantiles

from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.capacity_model import (
    MICROSECONDS_PER_PERCENT,
    CallKind,
    Measurement,
    table,
)
from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.planning.tables import tuning

_WORTH_NAMING = 0.005  # percent of a core: smaller values would be shown as 0
_PROCESSOR = _("processor")


@dataclass(frozen=True)
class Range:
    """A figure with its uncertainty."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class CallRange:
    """Concurrent calls: pessimistic, likely and optimistic."""

    low: int
    likely: int
    high: int


@dataclass(frozen=True)
class CallLimit:
    """A limit other than the processor: how many calls it allows, and why."""

    name: str
    calls: int
    because: str


@dataclass(frozen=True)
class CallCapacity:
    """How many calls of one kind the machine carries.

    `percent` is the cost of one call, in percent of a core. `processor` is what the processor alone
    would carry, `calls` what `limits` leave of it; `binding` names what limits `calls.likely`.
    """

    kind: str
    title: str
    percent: Range
    processor: CallRange
    limits: tuple[CallLimit, ...]
    calls: CallRange
    binding: str
    because: str


@dataclass(frozen=True)
class Capacity:
    """All kinds of calls on one host, and the share of its processor that is kept free."""

    host: str
    kept_free: float
    cores: float
    speed: float
    uncertainty: float
    carried: tuple[CallCapacity, ...]
    missing: tuple[str, ...]


def spread(values: tuple[float, ...]) -> float:
    """Half the interquartile range, as a share of the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle if middle else 0.0


def speed(measured: Measurement) -> float:
    """Processor time that this machine takes, relative to the reference machine (1.0)."""
    reference = table().reference
    relay = median(measured.relay_us) / reference.relay_us
    compute = median(measured.compute_ms) / reference.compute_ms
    return relay * reference.relay_weight + compute * (1 - reference.relay_weight)


def cores(measured: Measurement) -> float:
    """The processor's threads in whole-core equivalents."""
    second_threads = max(0, measured.threads - measured.cores)
    return measured.cores + second_threads * table().second_thread


def cost(kind: CallKind, measured: Measurement) -> float | None:
    """Percent of a core that one such call takes; None if Asterisk lacks a translation."""
    extra = 0.0
    for name, times in kind.translations.items():
        seen = translation_us(name, measured)
        if seen is None:
            return None
        extra += times * seen / MICROSECONDS_PER_PERCENT
    return kind.base_percent * speed(measured) + extra


def translation_us(pair: str, measured: Measurement) -> float | None:
    """Processor time per second of audio; an estimate if Asterisk reports none; or None."""
    if seen := measured.translations_us.get(pair):
        return median(seen)
    reference = table().reference
    if pair not in measured.untimed or pair not in reference.translations_us:
        return None
    slower = median(measured.compute_ms) / reference.compute_ms
    return reference.translations_us[pair] * slower


def uncertainty(measured: Measurement) -> float:
    """Relative uncertainty: the model's error and the spread of this machine's figures."""
    seen = math.hypot(spread(measured.relay_us), spread(measured.compute_ms))
    guessed = table().estimate_error if measured.untimed else 0.0
    return min(math.hypot(table().model_error, seen, guessed), table().most_error)


def capacity(measured: Measurement, plan: Plan) -> Capacity:
    """The number of calls of each kind that the measured host carries under this plan."""
    constants = table()
    roles = next((host.roles for host in plan.hosts if host.name == measured.host), ())
    alone = set(roles) <= {Role.TELEPHONY}
    free = constants.kept_free.alone if alone else constants.kept_free.beside
    error = uncertainty(measured)
    usable = cores(measured) * (1 - free) * 100
    carried, missing = [], []
    for kind in constants.kinds:
        percent = cost(kind, measured)
        if percent is None:
            missing.append(_(kind.title))
            continue
        costs = Range(percent / (1 + error), percent, percent / (1 - error))
        processor = CallRange(*(int(usable / each) for each in (costs.high, percent, costs.low)))
        limits = _limits(kind, measured, plan)
        because = _because(kind, costs, processor, measured, free)
        carried.append(_carried(kind, costs, processor, limits, because))
    return Capacity(
        host=measured.host,
        kept_free=free,
        cores=cores(measured),
        speed=speed(measured),
        uncertainty=error,
        carried=tuple(carried),
        missing=tuple(missing),
    )


def _carried(
    kind: CallKind,
    percent: Range,
    processor: CallRange,
    limits: tuple[CallLimit, ...],
    because: str,
) -> CallCapacity:
    least = min(limits, key=lambda limit: limit.calls)
    bound = least.calls < processor.likely
    return CallCapacity(
        kind=kind.id,
        title=_(kind.title),
        percent=percent,
        processor=processor,
        limits=limits,
        calls=CallRange(
            *(min(each, least.calls) for each in (processor.low, processor.likely, processor.high))
        ),
        binding=least.name if bound else _PROCESSOR,
        because=_(
            "{because}; limited by {limit}: {limit_because}",
            because=because,
            limit=least.name,
            limit_because=least.because,
        )
        if bound
        else because,
    )


def _because(
    kind: CallKind, percent: Range, processor: CallRange, measured: Measurement, free: float
) -> str:
    percent_of_base = f"{kind.base_percent * speed(measured):.2f}"
    parts: list[str] = [joined(" % ", (percent_of_base, _(kind.because)))]
    for name, times in kind.translations.items():
        share = times * (translation_us(name, measured) or 0) / MICROSECONDS_PER_PERCENT
        if share < _WORTH_NAMING:
            continue
        source, __, target = name.partition(">")
        part = _(
            "{share:.2f} % {times}{source} to {target}",
            share=share,
            times=f"{times} x " if times > 1 else "",
            source=source,
            target=target,
        )
        parts.append(part)
    return _(
        "{percent:.2f} % of a core per call ({parts}): {calls} calls on {cores:g} "
        "cores with {free:.0%} kept free",
        percent=percent.likely,
        parts=joined(", ", parts),
        calls=processor.likely,
        cores=cores(measured),
        free=free,
    )


def _limits(kind: CallKind, measured: Measurement, plan: Plan) -> tuple[CallLimit, ...]:
    constants, factors = table(), _telephony_factors()
    planned = plan.tuning.telephony
    per_call = factors["descriptors_per_call"]
    per_call += constants.descriptors_per_recording if kind.recorded else 0
    left = planned.file_descriptors - factors["descriptors_idle"] - planned.session_limit
    ports = planned.rtp_end - planned.rtp_start + 1
    limits = [
        CallLimit(
            "maxcalls",
            planned.max_calls,
            _("the plan allows Asterisk {calls} calls", calls=planned.max_calls),
        ),
        CallLimit(
            _("file descriptors"),
            max(0, left) // per_call,
            _(
                "{descriptors} descriptors, {sessions} of them for WebSockets, {per_call} per call",
                descriptors=planned.file_descriptors,
                per_call=per_call,
                sessions=planned.session_limit,
            ),
        ),
        CallLimit(
            "sessionlimit",
            planned.session_limit,
            _(
                "{sessions} WebSockets: each call has an agent's softphone at one end",
                sessions=planned.session_limit,
            ),
        ),
        CallLimit(
            _("RTP ports"),
            ports // factors["ports_per_call"],
            _(
                "{ports} ports, {per_call} per call",
                ports=ports,
                per_call=factors["ports_per_call"],
            ),
        ),
    ]
    if kind.recorded:
        share = constants.disk_share
        writes = measured.disk.mb_per_second * 1e6 * share
        limits.append(
            CallLimit(
                _("disk"),
                int(writes / constants.recording_bytes_per_second),
                _(
                    "{share:.0%} of the recording disk's write speed of {speed:.0f} "
                    "MB/s, {per_recording:g} kB/s per recording",
                    share=share,
                    speed=measured.disk.mb_per_second,
                    per_recording=constants.recording_bytes_per_second / 1000,
                ),
            )
        )
    return tuple(limits)


def _telephony_factors() -> Mapping[str, int]:
    factors: Mapping[str, int] = tuning()["telephony"]
    return factors
