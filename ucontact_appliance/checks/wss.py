"""Checks of SIP over secure WebSockets: directly, and through the portal."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.checks.tls_services import roots_file
from ucontact_appliance.clients.wss import Upgrade
from ucontact_appliance.facts import tls as tls_facts
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.component_tables import registered_port
from ucontact_appliance.planning.model import Role

_WSS_PATH = "/ws"


def judge_upgrade(found: Upgrade) -> Judgement:
    """Require status 101 with the subprotocol sip (RFC 7118)."""
    required = _("101 Switching Protocols with the subprotocol sip")
    if found.status == 101 and found.subprotocol == "sip":
        return passed(_("101, subprotocol sip"), required, found.evidence)
    told = (
        _("HTTP {status}", status=found.status) if found.status != 101 else _("the upgrade failed")
    )
    return failed(told, required, found.evidence)


def _upgrade(subject: Subject, port_id: str) -> Judgement:
    return judge_upgrade(
        subject.facts.get(
            tls_facts.sip_upgrade, registered_port(port_id), _WSS_PATH, roots_file(subject)
        )
    )


@check(
    id="wss.direct",
    title=_("SIP over secure WebSockets works on port 8089"),
    severity=Severity.CRITICAL,
    requirements=("R02",),
    remedy="{ssh} systemctl restart asterisk.service; {install}",
    role=Role.TELEPHONY,
    needs=("wss.answers", "tls.wss.trust", "tls.wss.name", "asterisk.modules.sip"),
)
def _direct(subject: Subject) -> Judgement:
    return _upgrade(subject, "wss")


@check(
    id="wss.portal",
    title=_("SIP over secure WebSockets works through the portal's port"),
    severity=Severity.MEDIUM,
    requirements=("R01", "R02"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tls.https.trust", "tls.https.name", "wss.direct"),
)
def _through_portal(subject: Subject) -> Judgement:
    return _upgrade(subject, "https")


@check(
    id="wss.name",
    title=_("SIP over secure WebSockets works on port 8089 with the portal's name"),
    severity=Severity.CRITICAL,
    requirements=("R01", "R02"),
    remedy="{install}",
    role=Role.BACKEND,
    without=Role.TELEPHONY,
    needs=("ports.wss-portal", "wss.direct"),
)
def _by_name(subject: Subject) -> Judgement:
    return _upgrade(subject, "wss-portal")


CHECKS = checks_of(globals())
