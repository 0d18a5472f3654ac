"""Checks of the VLAN interface through which COS leaves the telephony server (R07)."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Stage,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.checks.wording import INSTALL, SITE
from ucontact_appliance.facts.vlan import VlanLinks, vlan_links
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.qos import Qos


def judge_interface(found: VlanLinks, interface: str | None) -> Judgement:
    """Require that network.vlan_interface exists and is a VLAN."""
    if interface is None:
        told = _("network.vlan_interface is not set: COS does not leave the server")
        return skipped(told, evidence=found.evidence)
    required = _("a VLAN interface {name}", name=interface)
    link = found.named(interface)
    if link is None:
        return failed(
            _(
                "there is no interface {name}; the server has {names}",
                name=interface,
                names=joined(", ", found.names) or _("none"),
            ),
            required,
            found.evidence,
        )
    if link.vlan is None:
        return failed(
            _(
                "{name} is no VLAN interface; VLAN interfaces: {names}",
                name=interface,
                names=joined(", ", found.vlans) or _("none"),
            ),
            required,
            found.evidence,
        )
    return passed(_("{name} is VLAN {vlan}", name=interface, vlan=link.vlan), required)


@check(
    id="network.vlan",
    title=_("The VLAN interface of site.yml exists"),
    severity=Severity.MEDIUM,
    requirements=("R07",),
    role=Role.TELEPHONY,
    stages=frozenset({Stage.PREFLIGHT, Stage.DOCTOR}),
    remedy=with_note(
        "{ssh} ip -d -o link show type vlan",
        _("correct network.vlan_interface in {site}, and: {install}", site=SITE, install=INSTALL),
    ),
)
def _interface(subject: Subject) -> Judgement:
    return judge_interface(subject.facts.get(vlan_links), subject.site.network.vlan_interface)


def judge_map(found: VlanLinks, interface: str | None, wanted: Qos) -> Judgement:
    """Require that the interface writes each COS of site.yml into the frames' 802.1p priority."""
    link = found.named(interface) if interface else None
    if link is None:
        return skipped(_("not verifiable: no VLAN interface is set"), evidence=found.evidence)
    values = sorted({wanted.signalling.cos, wanted.video.cos, wanted.audio.cos} - {0})
    required = _(
        "egress map of {name}: {map}",
        name=link.name,
        map=" ".join(f"{cos}:{cos}" for cos in values),
    )
    missing = [str(cos) for cos in values if link.egress.get(cos) != cos]
    if missing:
        told = _("COS {missing} would leave as 0 or another value", missing=", ".join(missing))
        return failed(told, required, found.evidence)
    return passed(
        _("COS {values} are mapped", values=", ".join(map(str, values))), required, found.evidence
    )


@check(
    id="network.egress_map",
    title=_("COS leaves through the VLAN interface"),
    severity=Severity.MEDIUM,
    requirements=("R07",),
    role=Role.TELEPHONY,
    needs=("network.vlan",),
    remedy="{ssh} systemctl restart ucontact-qos.service",
)
def _map(subject: Subject) -> Judgement:
    network = subject.site.network
    return judge_map(subject.facts.get(vlan_links), network.vlan_interface, network.qos)


CHECKS = checks_of(globals())
