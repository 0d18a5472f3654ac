"""The time zone of phones, as far as they take one number for it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

# Any later year without its own entry in the tables of time zones: the rules that hold from now on.
_YEAR = 2037


def utc_offset(time_zone: str | None) -> int | None:
    """Seconds east of UTC, the same in every month; None if unknown or different in some."""
    if time_zone is None:
        return None
    zone = ZoneInfo(time_zone)
    months = (datetime(_YEAR, month, 15, 12, tzinfo=zone) for month in range(1, 13))
    found = {moment.utcoffset() for moment in months}
    offset = found.pop()
    return None if found or offset is None else int(offset.total_seconds())
