"""Remove what the doctor's own calls left: the only change that an examination makes on a host.

Only those calls can match. A call's recording and record are found by Asterisk's unique id of the
call, those of a whole run by its mark, twelve random digits that its calls carry as account code. A
recording's path must be inside the recordings tree and end in the call's id.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import RECORDINGS, CallTraces, mysql_words
from ucontact_appliance.facts.runner import Completed, Runner
from ucontact_appliance.language.messages import _, joined, ngettext


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


_MARK = re.compile(r"[0-9a-f]{12}")
_UNIQUEID = re.compile(r"[0-9]+\.[0-9]+")
_CHANNEL = re.compile(r"[\w./*+@;-]+")
_CONTACT_KEY = re.compile(r"^/?registrar/contact/([^\s:]+)\s*:")
_BATCH = re.compile(r"Current batch size:\s*([0-9]+)")
_ENDING_SECONDS = 6.0
_WRITING_SECONDS = 1.0  # Asterisk writes call records in a separate thread
_NO_CLIENT = 127  # the shell's exit status for a command that does not exist


@dataclass(frozen=True)
class MarkedTraces:
    """The number of removed items with a run's mark, per kind."""

    channels: int
    contacts: int
    recordings: int
    rows: int

    @property
    def words(self) -> str:
        """The numbers as one line of text."""
        counted = (
            ngettext("{count} call", "{count} calls", self.channels),
            ngettext("{count} registration", "{count} registrations", self.contacts),
            ngettext("{count} recording", "{count} recordings", self.recordings),
            ngettext("{count} call record", "{count} call records", self.rows),
        )
        named = [one for one in counted if one.number]
        return joined(", ", named) or _("nothing was left")


def marked_channels(text: str, mark: str) -> dict[str, str]:
    """Return the unique ids of the channels that have the mark, by channel name.

    `core show channels concise`: fields separated by `!`, the first the name, the ninth the account
    code. The first leg of a trunk's test call has no account code: its name has the mark.
    """
    rows = (line.split("!") for line in text.splitlines())
    return {
        row[0]: row[-1]
        for row in rows
        if len(row) > 10
        and (row[8].startswith(mark) or f"m{mark}" in row[0])
        and _CHANNEL.fullmatch(row[0])
    }


def marked_contacts(text: str, mark: str) -> tuple[str, ...]:
    """Return the keys of the contacts in `database show` whose host name has the mark."""
    found = (_CONTACT_KEY.match(line) for line in text.splitlines() if f"{mark}" in line)
    return tuple(one[1] for one in found if one)


def remove_marked(telephony: Runner, database: Runner, mark: str) -> MarkedTraces:
    """End the calls of the run with that mark; delete its registrations, recordings and records.

    Raises UnreachableError when a host refuses, ValueError for an invalid mark.
    """
    if not _MARK.fullmatch(mark):
        raise ValueError(f"no mark of a run: {mark!r}")
    channels = _end_calls(telephony, mark)
    shown = telephony.run(["asterisk", "-rx", "database show registrar/contact"]).stdout
    contacts = marked_contacts(shown, mark)
    for key in contacts:
        _done(telephony.run(["asterisk", "-rx", f"database del registrar/contact {key}"]))
    if channels or _records_held_back(telephony):
        telephony.run(["asterisk", "-rx", "cdr submit"])
        time.sleep(_WRITING_SECONDS)
    ids = set(channels.values())
    rows = _rows(database, mark)
    recordings = _remove_recordings(telephony, ids | set(rows))
    if rows:
        _done(database.run(mysql_words(f"delete from ccdata.cdr where {_bears(mark)}")))
    return MarkedTraces(len(channels), len(contacts), recordings, len(rows))


def _records_held_back(telephony: Runner) -> bool:
    """Whether Asterisk has call records that it has not written yet (cdr.conf, batch)."""
    shown = telephony.run(["asterisk", "-rx", "cdr show status"]).stdout
    waiting = _BATCH.search(shown)
    return waiting is None or int(waiting[1]) > 0


def _end_calls(telephony: Runner, mark: str) -> dict[str, str]:
    """Hang up the run's calls and wait for their end; return the channels' unique ids by name."""
    seen: dict[str, str] = {}
    end = time.monotonic() + _ENDING_SECONDS
    while True:
        shown = telephony.run(["asterisk", "-rx", "core show channels concise"]).stdout
        up = marked_channels(shown, mark)
        if not up:
            return seen
        if time.monotonic() > end:
            raise UnreachableError(_("the doctor's own calls can't be ended"), evidence=shown)
        for name in up.keys() - seen.keys():
            _done(telephony.run(["asterisk", "-rx", f"channel request hangup {name}"]))
        seen |= up
        time.sleep(0.3)


def _bears(mark: str) -> str:
    return f"accountcode like '{mark}%' or channel like 'Local/%m{mark}%'"


def _rows(database: Runner, mark: str) -> tuple[str, ...]:
    """Return the unique ids of the run's call records; empty if there is no MySQL client."""
    query = f"select uniqueid from ccdata.cdr where {_bears(mark)}"
    asked = database.run([*mysql_words(query), "--skip-column-names"])
    if asked.status == _NO_CLIENT:
        return ()
    _done(asked)
    return tuple(asked.stdout.split())


def _remove_recordings(telephony: Runner, ids: Iterable[str]) -> int:
    """Delete the recordings of those calls; return their number."""
    named = [word for one in sorted(ids) if _UNIQUEID.fullmatch(one) for word in _or_name(one)]
    if not named:
        return 0
    find = ["find", RECORDINGS, "-type", "f", "(", *named[1:], ")", "-print", "-delete"]
    done = telephony.run(find)
    _done(done)
    return len(done.stdout.splitlines())


def _or_name(uniqueid: str) -> tuple[str, ...]:
    return ("-o", "-name", f"*_{uniqueid}.*")


def _done(completed: Completed) -> None:
    if completed.status:
        raise UnreachableError(_("the call's traces can't be removed"), evidence=completed.evidence)
