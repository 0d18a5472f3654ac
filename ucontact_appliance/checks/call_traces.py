"""Checks of what the echo test's call leaves behind: recording, call record, registration."""

from __future__ import annotations

import re
from collections.abc import Callable

from ucontact_appliance.checks.call import LEAST_SHARE, any_call, placed_call
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.call import (
    SECONDS,
    Attempt,
    CallRow,
    CallTraces,
    Recording,
    call_row,
    call_row_now,
    recording,
    recording_path,
)
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.model import Role


def _known(judge: Callable[[Subject], Judgement]) -> Callable[[Subject], Judgement]:
    """Run the judge only if Asterisk showed the call's unique id; fail otherwise."""

    def judged(subject: Subject) -> Judgement:
        if not placed_call(subject).uniqueid:
            return failed(
                _("Asterisk showed no channel of the call"),
                _("the call's unique id in 'core show channels'"),
                placed_call(subject).evidence,
            )
        return judge(subject)

    return judged


def judge_recording(found: Recording | None, seconds: float = SECONDS) -> Judgement:
    """Require the call's recording on the telephony server, with the tone in it (R05, R25).

    `seconds` is how long the tone was sent.
    """
    required = _("a .gsm recording of the call, with the tone in it")
    if found is None:
        return failed(_("no recording of the call was written"), required)
    evidence = f"{found.path}: {found.size} bytes"
    if found.heard is None:
        return failed(_("unreadable: {problem}", problem=found.problem), required, evidence)
    heard = found.heard
    observed = _(
        "{total_seconds:.1f} s of GSM, the tone in {seconds:.1f} s of it",
        total_seconds=heard.total_seconds,
        seconds=heard.seconds,
    )
    evidence = f"{evidence}\n{observed}, {heard.level_dbfs:.1f} dBFS"
    if heard.seconds < seconds * LEAST_SHARE:
        return failed(observed, required, evidence)
    return passed(observed, required, evidence)


@any_call(
    id="call.recording",
    title=_("The call was recorded, and the recording holds the tone"),
    severity=Severity.HIGH,
    requirements=("R05", "R25"),
    remedy="{ssh} ls -ld /var/spool/asterisk/monitor && {install}",
    needs=("call.tone", "recordings.tree", "asterisk.modules.recording"),
)
@_known
def _recording(subject: Subject) -> Judgement:
    return judge_recording(_recorded(subject), placed_call(subject).seconds)


def judge_row(found: CallRow) -> Judgement:
    """Require an answered call record of the call, with its seconds."""
    required = _("a row in ccdata.cdr: ANSWERED, with its duration")
    if found.missing:
        return skipped(_("not verifiable here: {evidence}", evidence=found.evidence), required)
    if not found.columns:
        return failed(_("no row for the call"), required, found.evidence)
    disposition = found.columns.get("disposition", "")
    seconds = found.columns.get("billsec", "")
    observed = _(
        "{disposition}, {seconds} s",
        disposition=disposition or _("no disposition"),
        seconds=seconds or "?",
    )
    judge = passed if disposition == "ANSWERED" and seconds not in ("", "0") else failed
    return judge(observed, required, found.evidence)


@any_call(
    id="call.record",
    title=_("The call is in the call records"),
    severity=Severity.HIGH,
    requirements=("R16", "R19"),
    remedy="{ssh} asterisk -rx 'odbc show' && {ssh} asterisk -rx 'cdr show status'",
    needs=("call.answer", "asterisk.records"),
)
@_known
def _record(subject: Subject) -> Judgement:
    return judge_row(_row(subject))


def still_registered(attempt: Attempt) -> str:
    """Return a contact of our own connection that outlived it; empty if there is none."""
    if attempt.record is None:
        return ""
    # Asterisk lists a WebSocket's contact by the address and port that it came from.
    ours = re.compile(rf":{attempt.record.local_port}\b")
    new = (uri for uri in attempt.contacts_after if uri not in attempt.contacts_before)
    return next((uri for uri in new if ours.search(uri)), "")


@any_call(
    id="call.cleanup",
    title=_("The call left no trace"),
    severity=Severity.MEDIUM,
    requirements=("C06",),
    remedy="{ssh} find /var/spool/asterisk/monitor -name '*_*43_*' -newermt '-1 hour'",
    needs=("call.answer",),
)
@_known
def _cleanup(subject: Subject) -> Judgement:
    """Request the removal of the call's traces, then verify that they are gone.

    The recording and the row are read first (by the same facts that their own checks judge), so
    that nothing is removed before another check has read it.
    """
    required = _("no recording, no call record and no registration of the call is left")
    attempt, found, row = placed_call(subject), _recorded(subject), _row(subject)
    left = still_registered(attempt)
    if left:
        return failed(_("still registered as {left}", left=left), required)
    if subject.tidy is None:
        return skipped(_("the call's recording and record were kept: cleanup was not requested"))
    traces = CallTraces(attempt.uniqueid, found.path if found else "")
    name = subject.plan.carriers(Role.DATABASE)[0].name
    database = subject.facts.reach.runner_on(name)
    subject.tidy(subject.facts.reach.runner, database, traces, bool(row.columns))
    still = call_row_now(database, attempt.uniqueid).columns if row.columns else {}
    path = recording_path(subject.facts.reach, attempt.uniqueid)
    if path or still:
        return failed(_("still present: {path}", path=path or _("the row in ccdata.cdr")), required)
    gone = [uri for uri in attempt.contacts_before if uri not in attempt.contacts_after]
    if gone:
        return warned(_("the registration {gone} ended during the call", gone=gone[0]), required)
    removed = [
        found.path if found else _("no recording"),
        _("its row in ccdata.cdr") if row.columns else _("no row in ccdata.cdr"),
    ]
    return passed(
        _("registration, recording and call record are gone"), required, "\n".join(removed)
    )


def _recorded(subject: Subject) -> Recording | None:
    return subject.facts.get(recording, placed_call(subject).uniqueid)


def _row(subject: Subject) -> CallRow:
    name = subject.plan.carriers(Role.DATABASE)[0].name
    return subject.facts.get(call_row, name, placed_call(subject).uniqueid)


CHECKS = checks_of(globals())
