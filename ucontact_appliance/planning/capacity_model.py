"""The model behind `planning/capacity.py`: a host's measurement, and the table of call costs."""

from __future__ import annotations

from enum import Enum
from functools import cache

from pydantic import BaseModel, ConfigDict

from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.resources import load_data

MICROSECONDS_PER_PERCENT = 10_000  # in one second: 1 % of a core
_SRTP_PACKETS = 100  # per second on an agent's leg: 50 each way


class _CapacityModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DiskRun(_CapacityModel):
    """The recordings' filesystem: throughput of a long write with fsync, p99 of small ones (ms)."""

    mb_per_second: float
    fsync_p99_ms: float


class Measurement(_CapacityModel):
    """Result of `profile --benchmark` on one host; the content of capacity.json.

    `taken` is ISO 8601 in UTC, `seconds` the duration of the benchmark. Tuples hold one value
    per repetition. `relay_us` is the processor time to receive and send one UDP packet,
    `compute_ms` that of a fixed computation, `translations_us` that in microseconds for one
    second of audio, by "from>to" (`core show translation comp`). `untimed` are pairs that this
    Asterisk translates but reports no time for. `calls_up` counts the calls that were up before
    or after; above 0 the figures are disturbed.
    """

    host: str
    taken: str
    seconds: float
    asterisk: str
    processor: str
    mhz: float | None
    cores: int
    threads: int
    calls_up: int
    relay_us: tuple[float, ...]
    compute_ms: tuple[float, ...]
    translations_us: dict[str, tuple[float, ...]]
    untimed: tuple[str, ...]
    disk: DiskRun


class _Reference(_CapacityModel):
    machine: str
    relay_us: float
    compute_ms: float
    relay_weight: float
    translations_us: dict[str, float]


class CallKind(_CapacityModel):
    """A kind of call: its base cost on the reference machine, and the count of each translation."""

    id: str
    title: str
    base_percent: float
    translations: dict[str, int]
    recorded: bool
    because: str


class _KeptFree(_CapacityModel):
    alone: float
    beside: float


class TelephonyServer(_CapacityModel):
    """The load that one Asterisk is planned for: calls measured, calls at most, cost of a login.

    `login_ms` is processor time per login, `session_kb` memory per WebSocket (1000 bytes),
    `srtp_us` the processor time to encrypt or decrypt one packet.
    """

    measured_calls: int
    ceiling_calls: int
    login_ms: float
    session_kb: float
    srtp_us: float
    not_measured: tuple[str, ...]

    @property
    def unmeasured(self) -> str:
        """Everything that was not measured, in one line."""
        percent = self.srtp_us * _SRTP_PACKETS / MICROSECONDS_PER_PERCENT
        return joined(
            "; ",
            (
                _(one, measured_calls=self.measured_calls, srtp_percent=percent)
                for one in self.not_measured
            ),
        )


class EstimateBasis(str, Enum):
    """The evidence that one Asterisk carries a number of calls."""

    MEASURED = "within the measured load"
    EXTRAPOLATED = "extrapolated from the measured load"
    BEYOND = "beyond what one Asterisk is known to carry"


class _Table(_CapacityModel):
    reference: _Reference
    kinds: tuple[CallKind, ...]
    kept_free: _KeptFree
    model_error: float
    most_error: float
    estimate_error: float
    second_thread: float
    recording_bytes_per_second: float
    disk_share: float
    descriptors_per_recording: int
    telephony_server: TelephonyServer


@cache
def table() -> _Table:
    """The constants of `data/capacity.yml`."""
    return _Table(**load_data("capacity"))


def telephony_server() -> TelephonyServer:
    """The load that one telephony server is planned for."""
    return table().telephony_server


def basis(calls: int) -> EstimateBasis:
    """The evidence that one Asterisk carries this number of concurrent calls."""
    server = telephony_server()
    if calls <= server.measured_calls:
        return EstimateBasis.MEASURED
    return EstimateBasis.EXTRAPOLATED if calls <= server.ceiling_calls else EstimateBasis.BEYOND


def on_reference(kind: str) -> float:
    """Percent of one core of the reference machine that a call of this kind (id) takes."""
    found = next(row for row in table().kinds if row.id == kind)
    known = table().reference.translations_us
    extra = sum(times * known[pair] for pair, times in found.translations.items())
    return found.base_percent + extra / MICROSECONDS_PER_PERCENT
