"""A measurement that many tests start from: the reference machine itself."""

from __future__ import annotations

from typing import Any

from ucontact_appliance.planning.capacity_model import DiskRun, Measurement, table

TRANSLATIONS = {
    "alaw>slin8": (8.0, 8.0),
    "slin8>alaw": (9.0, 9.0),
    "slin8>gsm": (560.0, 560.0),
    "opus>slin8": (1300.0, 1300.0),
    "slin8>opus": (3800.0, 3800.0),
}


def a_measurement(**changes: Any) -> Measurement:
    """The reference machine, with some figures replaced."""
    reference = table().reference
    values: dict[str, Any] = {
        "host": "telephony",
        "taken": "2026-01-02T03:04:05+00:00",
        "seconds": 12.0,
        "asterisk": "22.10.1",
        "processor": "some processor",
        "mhz": 2445.0,
        "cores": 2,
        "threads": 2,
        "calls_up": 0,
        "relay_us": (reference.relay_us,) * 4,
        "compute_ms": (reference.compute_ms,) * 4,
        "translations_us": TRANSLATIONS,
        "untimed": (),
        "disk": DiskRun(mb_per_second=200.0, fsync_p99_ms=5.0),
    }
    return Measurement(**values | changes)
