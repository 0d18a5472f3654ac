"""Checks of SIP: transports, endpoints, their codecs, media and QoS marks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.asterisk import port_of, telephony_check
from ucontact_appliance.checks.model import Judgement, Severity, Subject, checks_of, failed, passed
from ucontact_appliance.facts.asterisk import (
    AsteriskState,
    Settings,
    WssMarks,
    endpoint_settings,
    snapshot,
    wss_marks,
)
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.qos import Qos

_CODECS: dict[str, Any] = load_data("network")["codecs"]
_MOST_LOOKED_AT = 5
# The options of a WebRTC endpoint that all versions have, as Asterisk shows them.
_WEBRTC = {
    "media_encryption": "dtls",
    "use_avpf": "true",
    "ice_support": "true",
    "rtcp_mux": "true",
    "media_use_received_transport": "true",
}
# A hardphone's: SIP over TLS, SRTP with its keys in SDP (R13).
_HARDPHONE = {
    "transport": "transport-tls",
    "media_encryption": "sdes",
    "media_encryption_optimistic": "false",
    "use_avpf": "false",
    "ice_support": "false",
}
Endpoints = Mapping[str, Settings]


def judge_transports(found: AsteriskState, wanted: Mapping[str, int]) -> Judgement:
    """Require every SIP transport on its port (R02, R04)."""
    required = joined(", ", (f"{protocol} {port}" for protocol, port in wanted.items()))
    there = {(transport.protocol, transport.port) for transport in found.transports}
    lost = [f"{p} {port}" for p, port in wanted.items() if (p, port) not in there]
    evidence = found.texts.get("transports", "")
    if lost:
        return failed(_("missing: {lost}", lost=joined(", ", lost)), required, evidence)
    return passed(required, required, evidence)


@telephony_check(
    id="asterisk.transports",
    title=_("SIP is reachable over WSS, UDP, TCP and TLS"),
    severity=Severity.CRITICAL,
    requirements=("R02", "R04"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.sip"),
)
def _transports(subject: Subject) -> Judgement:
    ids = {"wss": "wss", "udp": "sip-udp", "tcp": "sip-tcp", "tls": "sip-tls"}
    wanted = {protocol: port_of(subject, port_id) for protocol, port_id in ids.items()}
    return judge_transports(subject.facts.get(snapshot), wanted)


def judge_endpoints(found: AsteriskState, wanted: Sequence[str]) -> Judgement:
    """Require an endpoint in Asterisk for every extension and trunk of the site."""
    required = _("{count} endpoints: the site's extensions and trunks", count=len(wanted))
    lost = [name for name in wanted if name not in found.endpoints]
    if lost:
        return failed(
            _("missing: {lost}", lost=joined(", ", lost)),
            required,
            found.texts.get("endpoints", ""),
        )
    return passed(_("all {count} present", count=len(wanted)), required)


@telephony_check(
    id="asterisk.endpoints",
    title=_("Extensions and trunks are configured"),
    severity=Severity.CRITICAL,
    requirements=("R02", "R04"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.sip"),
)
def _endpoints(subject: Subject) -> Judgement:
    wanted = (*subject.site.telephony.extensions, *_trunk_names(subject))
    return judge_endpoints(subject.facts.get(snapshot), wanted)


def _wrong(endpoints: Endpoints, expected: Mapping[str, str]) -> list[str]:
    return [
        _(
            "{name}: {option} is {settings}",
            name=name,
            option=option,
            settings=settings.get(option) or _("not set"),
        )
        for name, settings in endpoints.items()
        for option, value in expected.items()
        if settings.get(option) != value
    ]


def _shown(endpoints: Endpoints, options: Sequence[str]) -> str:
    return "\n".join(
        f"{name}: " + ", ".join(f"{option}={settings.get(option, '-')}" for option in options)
        for name, settings in endpoints.items()
    )


def judge_codecs(
    endpoints: Endpoints,
    audio: Sequence[str],
    video: Sequence[str],
    phones: Collection[str] = (),
) -> Judgement:
    """Require that extensions allow every codec of the product, those of `phones` audio (R06)."""
    required = joined(", ", [*audio, *video])
    evidence = _shown(endpoints, ["allow"])
    lost = [
        _("{name} lacks {codec}", name=name, codec=codec)
        for name, settings in endpoints.items()
        for codec in [*audio, *(() if name in phones else video)]
        if codec not in settings.get("allow", "").strip("()").split("|")
    ]
    if lost:
        return failed(joined("; ", lost), required, evidence)
    return passed(
        _("{required} on {endpoints}", required=required, endpoints=joined(", ", endpoints)),
        required,
        evidence,
    )


@telephony_check(
    id="asterisk.codecs",
    title=_("Extensions support the product's codecs"),
    severity=Severity.HIGH,
    requirements=("R06",),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _codecs(subject: Subject) -> Judgement:
    return judge_codecs(_extensions(subject), _CODECS["audio"], _CODECS["video"], _phones(subject))


def judge_media(endpoints: Endpoints, phones: Collection[str] = ()) -> Judgement:
    """Require ICE and DTLS-SRTP for media of agents and of trunks over WebRTC (R02 to R04).

    For `phones`, which are hardphones, SDES-SRTP (R13).
    """
    hard = {name: settings for name, settings in endpoints.items() if name in phones}
    soft = {name: settings for name, settings in endpoints.items() if name not in phones}
    required = (
        _("DTLS-SRTP with a certificate, ICE, RTCP multiplexed; for hardphones TLS and SDES-SRTP")
        if hard
        else _("DTLS-SRTP with a certificate, ICE, RTCP multiplexed")
    )
    evidence = _shown(soft, [*_WEBRTC, "dtls_cert_file"])
    if hard:
        evidence += f"\n{_shown(hard, [*_HARDPHONE])}"
    wrong = _wrong(soft, _WEBRTC) + _wrong(hard, _HARDPHONE)
    wrong += [
        _("{name}: no certificate for DTLS", name=name)
        for name, settings in soft.items()
        if not settings.get("dtls_cert_file")
    ]
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    return passed(_("set on {endpoints}", endpoints=joined(", ", endpoints)), required, evidence)


@telephony_check(
    id="asterisk.media",
    title=_("Media over WebRTC is encrypted and uses ICE"),
    severity=Severity.CRITICAL,
    requirements=("R02", "R03", "R04"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _media(subject: Subject) -> Judgement:
    by_webrtc = {trunk.endpoint for trunk in subject.site.telephony.trunks if trunk.connects_to_us}
    trunks = {name: settings for name, settings in _all(subject).items() if name in by_webrtc}
    return judge_media({**_extensions(subject), **trunks}, _phones(subject))


def judge_qos(endpoints: Endpoints, wanted: Qos) -> Judgement:
    """Require the site's QoS marks on audio and video to agents and providers (R07)."""
    # Asterisk shows the TOS byte, whose upper six bits are the DSCP.
    expected = {
        "tos_audio": str(wanted.audio.tos << 2),
        "cos_audio": str(wanted.audio.cos),
        "tos_video": str(wanted.video.tos << 2),
        "cos_video": str(wanted.video.cos),
    }
    required = joined(", ", (f"{option} {value}" for option, value in expected.items()))
    evidence = _shown(endpoints, tuple(expected))
    wrong = _wrong(endpoints, expected)
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    return passed(required, required, evidence)


@telephony_check(
    id="asterisk.qos",
    title=_("Audio and video are marked for QoS"),
    severity=Severity.HIGH,
    requirements=("R07",),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _qos(subject: Subject) -> Judgement:
    return judge_qos(_all(subject), subject.site.network.qos)


def judge_qos_text(found: AsteriskState, marks: WssMarks, wanted: Qos) -> Judgement:
    """Require the site's QoS marks on signalling and the text in it; for WSS by nftables (R07)."""
    dscp, cos = wanted.signalling.tos, wanted.signalling.cos
    required = _(
        "DSCP {dscp} and COS {cos} on every transport, for WSS through nftables", dscp=dscp, cos=cos
    )
    evidence = f"{found.texts.get('transports', '')}\n{marks.evidence}".strip()
    wrong = [
        _("{name}: DSCP {dscp}, COS {cos}", name=one.name, dscp=one.tos >> 2, cos=one.cos)
        for one in found.transports
        if one.protocol not in ("ws", "wss") and (one.tos >> 2, one.cos) != (dscp, cos)
    ]
    if not marks.dscp or not marks.priorities:
        wrong.append(_("WSS is not marked"))
    elif {*marks.dscp} != {dscp} or {*marks.priorities} != {cos}:
        wrong.append(
            _(
                "WSS: DSCP {dscp}, COS {cos}",
                dscp=joined(", ", dict.fromkeys(map(str, marks.dscp))),
                cos=joined(", ", dict.fromkeys(map(str, marks.priorities))),
            )
        )
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    return passed(required, required, evidence)


@telephony_check(
    id="asterisk.qos_text",
    title=_("Text and signalling are marked for QoS"),
    severity=Severity.MEDIUM,
    requirements=("R07",),
    remedy="{ssh} systemctl restart ucontact-qos.service",
    needs=("asterisk.service", "asterisk.transports"),
)
def _qos_text(subject: Subject) -> Judgement:
    return judge_qos_text(
        subject.facts.get(snapshot), subject.facts.get(wss_marks), subject.site.network.qos
    )


def judge_anonymous(found: AsteriskState) -> Judgement:
    """Require an account or a trunk's address for every call: no anonymous endpoint."""
    required = _("no anonymous endpoint, and no module that identifies callers as anonymous")
    module = "res_pjsip_endpoint_identifier_anonymous.so"
    open_ones = [name for name in found.endpoints if name.startswith("anonymous")]
    if open_ones or module in found.modules:
        what = ", ".join(open_ones) or module
        return failed(_("{what} is present", what=what), required, found.texts.get("endpoints", ""))
    return passed(_("none"), required)


@telephony_check(
    id="asterisk.anonymous",
    title=_("Calls without an account are rejected"),
    severity=Severity.CRITICAL,
    requirements=("R04", "C05"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _anonymous(subject: Subject) -> Judgement:
    return judge_anonymous(subject.facts.get(snapshot))


def spread(names: Sequence[str], most: int = _MOST_LOOKED_AT) -> tuple[str, ...]:
    """Return at most `most` of the names, evenly spaced, including the first and the last."""
    if len(names) <= most:
        return tuple(names)
    step = (len(names) - 1) / (most - 1)
    return tuple(names[round(index * step)] for index in range(most))


def _trunk_names(subject: Subject) -> tuple[str, ...]:
    return tuple(trunk.endpoint for trunk in subject.site.telephony.sip_trunks)


def _phones(subject: Subject) -> frozenset[str]:
    return frozenset(phone.extension for phone in subject.site.telephony.phones)


def _sampled(subject: Subject) -> tuple[str, ...]:
    """Some of the extensions of softphones, and some of those of hardphones."""
    telephony = subject.site.telephony
    return spread(telephony.softphones) + spread([p.extension for p in telephony.phones])


def _extensions(subject: Subject) -> Endpoints:
    looked_at = _sampled(subject)
    return {name: settings for name, settings in _all(subject).items() if name in looked_at}


def _all(subject: Subject) -> Endpoints:
    return subject.facts.get(endpoint_settings, (*_sampled(subject), *_trunk_names(subject)))


CHECKS = checks_of(globals())
