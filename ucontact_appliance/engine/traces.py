"""Removing what the doctor's own call left behind: the one thing a check-up changes on a host.

Nothing but that call's recording and its row can match: both are found by Asterisk's unique id of
the call, and the path must be inside the recordings tree and end in that id.
"""

from __future__ import annotations

import re

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import RECORDINGS, CallTraces, mysql_words
from ucontact_appliance.facts.runner import Completed, Runner


def remove_call_traces(telephony: Runner, database: Runner, traces: CallTraces, row: bool) -> None:
    """Delete the recording and, with `row`, the call record.

    Raises UnreachableError when a host refuses, ValueError when the traces are not those of a call.
    """
    if not re.fullmatch(r"[\w.-]+", traces.uniqueid):
        raise ValueError(f"no unique id of a call: {traces.uniqueid!r}")
    if traces.recording:
        ending = rf"[\w./*+-]+_{re.escape(traces.uniqueid)}\.\w+"
        inside = traces.recording.startswith(f"{RECORDINGS}/") and ".." not in traces.recording
        if not inside or not re.fullmatch(ending, traces.recording):
            raise ValueError(f"no recording of that call: {traces.recording!r}")
        _done(telephony.run(["rm", "-f", "--", traces.recording]))
    if row:
        query = f"delete from ccdata.cdr where uniqueid = '{traces.uniqueid}'"
        _done(database.run(mysql_words(query)))


def _done(completed: Completed) -> None:
    if completed.status:
        raise UnreachableError("the call's traces can't be removed", evidence=completed.evidence)
