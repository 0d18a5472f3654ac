"""The size of a site (R12) and of a recording (R25)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.tables import SizeRow, gsm_frame, sizes

MOST_AGENTS = 10000


def size_for(agents: int) -> SizeRow:
    """The row of R12 for this many agents. Raises UsageError outside 1 to MOST_AGENTS."""
    if not 1 <= agents <= MOST_AGENTS:
        raise UsageError(
            _(
                "{agents} agents: a site has 1 to {most_agents}",
                agents=agents,
                most_agents=MOST_AGENTS,
            ),
            helps="ucontact plan --agents 10",
        )
    return next(row for row in sizes() if row.below is None or agents < row.below)


def recording_mb(minutes: float, table: Mapping[int, float]) -> float:
    """Megabytes of a recording of this length (R25).

    Linear between rows, and from 0 to the first row; past the last row, the table's highest rate
    per minute applies.
    """
    if minutes <= 0:
        return 0.0
    rows = [(0, 0.0), *sorted(table.items())]
    for (start, low), (end, high) in pairwise(rows):
        if minutes <= end:
            return low + (high - low) * (minutes - start) / (end - start)
    longest, most = rows[-1]
    dearest = max(size / length for length, size in rows[1:])
    return most + (minutes - longest) * dearest


def codec_mb(minutes: float) -> float:
    """Megabytes that GSM 06.10 itself writes in this many minutes (ETSI EN 300 961)."""
    frame = gsm_frame()
    return minutes * 60_000 / frame.milliseconds * frame.bytes / 1e6
