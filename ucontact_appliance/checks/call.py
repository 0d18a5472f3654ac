"""Checks of one real WebRTC call to the echo test: signalling, codec, media.

These checks and those of `checks/call_traces.py` judge the same call, which is placed once. Of the
extensions without a hardphone, it registers one more contact for the one that has the fewest, and
removes it again. It rings nobody: it calls the echo test.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence

from ucontact_appliance.checks.model import (
    Finding,
    Judgement,
    Severity,
    Stage,
    Subject,
    Verdict,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.clients.calls import (
    ANSWERED,
    CONNECTED_ICE,
    CONNECTED_MEDIA,
    CONNECTED_TLS,
    ENDED,
    GATHERED,
    HEARD,
    REGISTERED,
)
from ucontact_appliance.facts.asterisk import Contact, snapshot
from ucontact_appliance.facts.call import HERTZ, SHORT_SECONDS, Attempt, echo_call
from ucontact_appliance.language.messages import Message, _, concatenated, joined, verbatim
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.secrets import extension_secret

_ANY_CALL = frozenset({Stage.ECHO, Stage.DEEP})
# From the names in RFC 3551 and RFC 7587 to those in R06.
_R06 = {"opus": "opus", "pcmu": "ulaw", "pcma": "alaw"}
LEAST_SHARE = 0.8  # of the tone's duration; the rest is the start of the call
_LEAST_DBFS = -30.0  # sent at -10.5 dBFS
# Works in Asterisk 13 to 22; the command to debug ICE differs between versions.
_MEDIA = "{ssh} asterisk -rx 'rtp show settings' && {ssh} nft list ruleset"

# The first check that runs waits for the whole call.
any_call = functools.partial(check, role=Role.TELEPHONY, stages=_ANY_CALL, timeout=60)


def least_used(extensions: Sequence[str], contacts: Sequence[Contact]) -> str:
    """Return the extension with the fewest contacts; of several, the first.

    An address of record holds max_contacts contacts; one more replaces the oldest
    (remove_existing, pjsip.conf). The call's own contact must not replace anybody's.
    """
    phones = Counter(contact.owner for contact in contacts)
    return min(extensions, key=lambda number: phones[number])


def caller(subject: Subject) -> tuple[str, str, str]:
    """Return the caller: an extension's number, its secret, and the file of the SIP server's CA."""
    number = least_used(subject.site.telephony.softphones, subject.facts.get(snapshot).contacts)
    secret = subject.secrets[extension_secret(number)]
    return number, secret, str(subject.state.pki / "portal-ca.pem")


def placed_call(subject: Subject) -> Attempt:
    """Return the call that all these checks judge; the run's first check to ask places it."""
    if Stage.ECHO in subject.stages and Stage.DEEP not in subject.stages:
        return subject.facts.get(echo_call, *caller(subject), SHORT_SECONDS)
    return subject.facts.get(echo_call, *caller(subject))


# The names of a call's steps, and the texts for a step that was not reached.
STEPS = {
    CONNECTED_TLS: _("connected over TLS"),
    REGISTERED: _("registered"),
    GATHERED: _("ICE candidates gathered"),
    ANSWERED: _("answered"),
    CONNECTED_ICE: _("ICE connected"),
    CONNECTED_MEDIA: _("media connected"),
    HEARD: _("first audio received"),
    ENDED: _("tone sent and hung up"),
}
_NOT_REACHED = {
    CONNECTED_TLS: _("not connected over TLS"),
    REGISTERED: _("not registered"),
    GATHERED: _("no ICE candidates gathered"),
    ANSWERED: _("not answered"),
    CONNECTED_ICE: _("ICE not connected"),
    CONNECTED_MEDIA: _("media not connected"),
    HEARD: _("no audio received"),
    ENDED: _("tone not sent to the end"),
}


def missed(attempt: Attempt) -> Message:
    """Return the step that the call did not reach, and the reason."""
    return concatenated((_NOT_REACHED[attempt.missed], ": ", attempt.why))


def _missed(attempt: Attempt, *steps: str) -> bool:
    return attempt.record is None and attempt.missed in steps


def _timed(attempt: Attempt, *steps: str) -> str:
    took = [seconds for step, seconds in attempt.steps if step in steps]
    return _(" in {count:.0f} ms", count=sum(took) * 1000) if took else ""


def judge_register(attempt: Attempt) -> Judgement:
    """Require a registration over verified TLS, with digest, as a browser does it (R01, R02)."""
    required = _("TLS verified for the portal's name, WebSocket /ws, SIP REGISTER answered 200")
    if _missed(attempt, CONNECTED_TLS, REGISTERED):
        return failed(
            missed(attempt),
            required,
            attempt.evidence,
        )
    observed = _("registered{timed}", timed=_timed(attempt, REGISTERED))
    return passed(observed, required, attempt.evidence)


@any_call(
    id="call.register",
    title=_("A WebRTC phone registers over verified TLS"),
    severity=Severity.CRITICAL,
    requirements=("R01", "R02"),
    remedy="{ssh} asterisk -rx 'pjsip show endpoints'",
    needs=("ports.wss", "tls.wss.trust", "tls.wss.name", "asterisk.modules.sip"),
)
def _register(subject: Subject) -> Judgement:
    return judge_register(placed_call(subject))


def judge_answer(attempt: Attempt) -> Judgement:
    """Require that the echo test answers."""
    required = _("*43 is answered")
    if _missed(attempt, GATHERED, ANSWERED):
        return failed(
            missed(attempt),
            required,
            attempt.evidence,
        )
    return passed(_("answered{timed}", timed=_timed(attempt, ANSWERED)), required, attempt.evidence)


@any_call(
    id="call.answer",
    title=_("The echo test answers a real call"),
    severity=Severity.CRITICAL,
    requirements=("R02", "R19"),
    remedy="{ssh} asterisk -rx 'dialplan show *43@internal'",
    needs=("call.register", "asterisk.dialplan", "asterisk.modules.calls"),
)
def _answer(subject: Subject) -> Judgement:
    return judge_answer(placed_call(subject))


def judge_dtls(attempt: Attempt) -> Judgement:
    """Require that ICE connects, and media is encrypted with keys agreed by DTLS (R03)."""
    required = _("ICE connects, and DTLS-SRTP (RFC 5764) protects the media")
    record = attempt.record
    if record is None:
        if _missed(attempt, CONNECTED_ICE, CONNECTED_MEDIA):
            return failed(
                missed(attempt),
                required,
                attempt.evidence,
            )
        return passed(
            _("connected{timed}", timed=_timed(attempt, CONNECTED_ICE, CONNECTED_MEDIA)),
            required,
            attempt.evidence,
        )
    if record.dtls != "connected" or not record.srtp:
        return failed(
            _("DTLS {dtls}, no SRTP profile", dtls=record.dtls), required, attempt.evidence
        )
    observed = verbatim(record.srtp) + _timed(attempt, CONNECTED_ICE, CONNECTED_MEDIA)
    return passed(observed, required, f"{attempt.evidence}\n{record.fingerprint}")


@any_call(
    id="call.dtls",
    title=_("Media is connected by ICE and encrypted by DTLS-SRTP"),
    severity=Severity.CRITICAL,
    requirements=("R03",),
    remedy=_MEDIA,
    needs=("call.answer", "asterisk.modules.media"),
)
def _dtls(subject: Subject) -> Judgement:
    return judge_dtls(placed_call(subject))


def judge_codec(attempt: Attempt) -> Judgement:
    """Require that the answered codecs are the product's (R06)."""
    required = _("one of {values} (R06)", values=joined(", ", _R06.values()))
    record = attempt.record
    if record is None:
        return skipped(_("the call ended before this could be measured"), required)
    strange = [name for name in record.answered if name not in _R06]
    names = ", ".join(_R06.get(name, name) for name in record.answered)
    evidence = f"offered {', '.join(record.offered)}\nanswered {', '.join(record.answered)}"
    if strange or not record.answered:
        return failed(_("answered with {names}", names=names or _("no codec")), required, evidence)
    return passed(
        _("{r06} (answered with {names})", r06=_R06[record.answered[0]], names=names),
        required,
        evidence,
    )


@any_call(
    id="call.codec",
    title=_("The call uses one of the product's codecs"),
    severity=Severity.HIGH,
    requirements=("R06",),
    remedy="{install}",
    needs=("call.dtls",),
)
def _codec(subject: Subject) -> Judgement:
    return judge_codec(placed_call(subject))


def judge_tone(attempt: Attempt) -> Judgement:
    """Require media in both directions: the tone comes back (R03)."""
    required = _(
        "a tone of {hertz:g} Hz is echoed for {seconds:g} s",
        hertz=HERTZ,
        seconds=attempt.seconds,
    )
    record = attempt.record
    if record is None:
        return failed(
            missed(attempt),
            required,
            attempt.evidence,
        )
    heard = record.heard
    observed = _(
        "{hertz:g} Hz for {seconds:.1f} s at {level_dbfs:.1f} dBFS",
        hertz=HERTZ,
        seconds=heard.seconds,
        level_dbfs=heard.level_dbfs,
    )
    if heard.seconds < attempt.seconds * LEAST_SHARE:
        return failed(observed, required, attempt.evidence)
    if heard.level_dbfs < _LEAST_DBFS:
        return warned(_("{observed}: too quiet", observed=observed), required, attempt.evidence)
    return passed(observed, required, attempt.evidence)


@any_call(
    id="call.tone",
    title=_("A tone sent into the call is echoed"),
    severity=Severity.CRITICAL,
    requirements=("R03", "R24"),
    remedy=_MEDIA,
    needs=("call.dtls",),
)
def _tone(subject: Subject) -> Judgement:
    return judge_tone(placed_call(subject))


_TONE = "call.tone"
_IN_CALL = frozenset({"call.register", "call.answer", "call.dtls"})  # what call.tone needs


def call_result(findings: Sequence[Finding]) -> str:
    """Return the result of a run's call in one line, or that no call was made."""
    heard = next((found for found in findings if found.id == _TONE), None)
    if heard is None:
        return _("no call was made: not requested")
    if heard.verdict in (Verdict.PASS, Verdict.WARN):
        return _("a real call carried audio: {observed}", observed=heard.observed)
    waived = _(" (waived: {reason})", reason=heard.waived.reason) if heard.waived else ""
    if heard.verdict is not Verdict.SKIP:
        return _("the call failed: {observed}{waived}", observed=heard.observed, waived=waived)
    root = next((found for found in findings if found.id == heard.blocked_by), None)
    if root is None or root.id not in _IN_CALL:
        seen = concatenated((": ", root.observed)) if root else ""
        return _("no call was made: {observed}{seen}", observed=heard.observed, seen=seen)
    return _("the call failed: {title}: {observed}", title=root.title, observed=root.observed)


CHECKS = checks_of(globals())
