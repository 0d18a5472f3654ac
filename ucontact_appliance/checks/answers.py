"""Checks that each TLS service answers from here at all, which its other checks need.

So a service that hangs, or is hidden by a firewall, yields one finding. Otherwise each check that
asks it would wait for its own timeout and report the same.
"""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.checks.tls_services import SERVICES, TlsService, roots_file
from ucontact_appliance.clients.tls import Handshake
from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.facts import tls
from ucontact_appliance.facts.firewall import PortState, knocks
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.resources import load_data

PATIENCE: dict[str, float] = load_data("doctor")["patience"]
QUICK = PATIENCE["answer_seconds"]
_UNITS = {
    "https": "nginx.service",
    "wss": "asterisk.service",
    "sip-tls": "asterisk.service",
    "turn-tls": "coturn.service",
}


def judge_silence(port: int, state: PortState, unit: str, said: str) -> Judgement:
    """Judge a failed TLS handshake by the port's `state` for a plain TCP connection."""
    required = _(
        "a TLS handshake with port {port} from here, within {quick:g} s", port=port, quick=QUICK
    )
    if state is PortState.FILTERED:
        return failed(
            _("connections to port {port} get no answer: they are dropped on the way", port=port),
            required,
            said,
            with_note(
                "{ssh} nft list ruleset",
                _("the firewall.* checks show whether it is the site's own firewall"),
            ),
        )
    if state is PortState.CLOSED:
        return failed(_("port {port} refuses connections from here", port=port), required, said)
    return failed(
        _("{unit} accepts connections to port {port} but does not respond", unit=unit, port=port),
        required,
        said,
    )


def judge_pace(found: Handshake, seconds: float, port: int, unit: str) -> Judgement:
    """Require a quick handshake: a stalled service answers in the end, but its clients gave up."""
    required = _(
        "a TLS handshake with port {port} from here, within {quick:g} s", port=port, quick=QUICK
    )
    if seconds > QUICK:
        return failed(
            _("{unit} is slow: {seconds:.1f} s for a handshake", unit=unit, seconds=seconds),
            required,
        )
    return passed(
        _("{version} in {seconds:.1f} s", version=found.version, seconds=seconds), required
    )


def _answering(service: TlsService) -> Check:
    @check(
        id=service.answers,
        title=_("{leading} responds to this machine", leading=service.leading),
        severity=Severity.CRITICAL,
        requirements=(service.requirement,),
        remedy=f"{{ssh}} systemctl restart {_UNITS[service.id]}",
        role=service.role,
        needs=service.needs,
        timeout=20.0,
    )
    def judge(subject: Subject) -> Judgement:
        try:
            found = subject.facts.get(tls.greeting, service.port, roots_file(subject))
        except (ApplianceError, OSError) as error:  # a time-out is an OSError too
            state = subject.facts.get(knocks, (service.port,))[0].door
            evidence = error.evidence if isinstance(error, ApplianceError) else ""
            said = f"{error}\n{evidence}".strip()
            return judge_silence(service.port, state, _UNITS[service.id], said)
        seconds = subject.facts.get(tls.handshake_seconds, service.port, roots_file(subject))
        return judge_pace(found, seconds, service.port, _UNITS[service.id])

    return judge


ANSWERING = tuple(_answering(service) for service in SERVICES)


CHECKS = checks_of(globals())
