"""Resources that a plan requires of each server: processor, memory. Factors: data/hardware.yml."""

from __future__ import annotations

from ucontact_appliance.planning.capacity_model import on_reference, telephony_server
from ucontact_appliance.planning.model import Plan, PlannedHost, Role, Tuning
from ucontact_appliance.planning.tables import hardware

_KB_PER_MB = 1048.576  # kilobytes of 1000 bytes per megabyte of 1024 x 1024


def cores_needed(plan: Plan, host: PlannedHost) -> float:
    """Processor cores that the plan's calls need on this host, with headroom."""
    calls = plan.tuning.telephony.max_calls if Role.TELEPHONY in host.roles else 0
    return max(1.0, calls * _cores_per_call())


def calls_carried(cores: int) -> int:
    """Concurrent recorded calls that this many cores carry, with the same headroom."""
    return int(cores / _cores_per_call())


def _cores_per_call() -> float:
    """Cores per call, with headroom: all are recorded (R05), at the reference machine's cost."""
    return on_reference("recorded") / 100 * float(hardware()["processor"]["headroom"])


def memory_needed_mb(tuning: Tuning, roles: tuple[Role, ...]) -> int:
    """Megabytes that these roles need on one host with these tuned values."""
    table = hardware()["memory"]
    need = float(table["system_mb"])
    if Role.TELEPHONY in roles:
        need += table["telephony_mb"]
        need += tuning.telephony.max_calls * table["telephony_mb_per_call"]
        need += tuning.telephony.connections_per_source * telephony_server().session_kb / _KB_PER_MB
    if Role.DATABASE in roles:
        need += table["database_mb"]
        need += tuning.database.buffer_pool_mb * table["database_per_buffer_pool"]
    if Role.BACKEND in roles:
        need += table["backend_mb"] + tuning.backend.heap_mb * table["backend_per_heap"]
    return round(need)
