"""Checks of STUN and TURN (R03): who gets a relay, and to which peers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.wording import unmasking
from ucontact_appliance.facts.stun import (
    FORBIDDEN_PEERS,
    Relay,
    StunResult,
    bound,
    bound_by_tls,
    relay_for_agent,
    relay_for_nobody,
    relay_for_stranger,
)
from ucontact_appliance.facts.unit import Unit, unit
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for

_UNIT = "coturn.service"
_SECRET = "stun.turn"
_UNAUTHORIZED = 401  # RFC 8489 9.2.4
_FORBIDDEN = 403  # RFC 8656 9.2

stun_check = partial(check, role=Role.TELEPHONY, timeout=12.0)


def _port(subject: Subject, port_id: str) -> int:
    registry = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    return next(port for port in registry if port.id == port_id).first


def _with_secret(judge: Callable[[Subject, Relay], Judgement]) -> Callable[[Subject], Judgement]:
    def judged(subject: Subject) -> Judgement:
        if _SECRET not in subject.secrets:
            return skipped(_("the secret {secret} is not on this machine", secret=_SECRET))
        port = _port(subject, "stun-udp")
        return judge(subject, subject.facts.get(relay_for_agent, port, subject.secrets[_SECRET]))

    return judged


def judge_service(found: Unit) -> Judgement:
    """Require an active unit that starts at boot."""
    required = _("{name} is active and enabled", name=found.name)
    if found.loaded == "masked":
        told = _("{name} is masked and {active}", name=found.name, active=found.active)
        return failed(told, required, found.evidence, unmasking(found.name))
    if found.loaded != "loaded":
        words = _("{name} is {loaded}", name=found.name, loaded=found.loaded or _("missing"))
        return failed(words, required, found.evidence, "{install}")
    if found.active != "active":
        return failed(
            _("{name} is {active} ({sub})", name=found.name, active=found.active, sub=found.sub),
            required,
            found.evidence,
        )
    if found.enabled != "enabled":
        return failed(
            _("active, but {enabled}: it will not start after a reboot", enabled=found.enabled),
            required,
            found.evidence,
            f"{{ssh}} systemctl enable {found.name}",
        )
    return passed(_("active and enabled"), required, found.evidence)


@check(
    id="stun.service",
    title=_("The STUN and TURN server runs"),
    severity=Severity.HIGH,
    requirements=("R03", "C06"),
    remedy="{ssh} systemctl restart coturn",
    role=Role.TELEPHONY,
)
def _service(subject: Subject) -> Judgement:
    return judge_service(subject.facts.get(unit, _UNIT))


def judge_binding(found: StunResult) -> Judgement:
    """Require a STUN response that contains our own address."""
    required = _("a STUN Binding response with this machine's address")
    if found.binding is None:
        return failed(_("no response"), required, found.error)
    seen = _(
        "{mapped} in {milliseconds:.1f} ms",
        mapped=found.binding.mapped,
        milliseconds=found.binding.milliseconds,
    )
    evidence = f"{found.server} sees us as {found.binding.mapped}; we are {found.binding.local}"
    if found.binding.mapped != found.binding.local:
        # Right behind a NAT router, wrong without one: from here the two look the same.
        return warned(
            _(
                "{seen}, but this machine's own address is {local}",
                seen=seen,
                local=found.binding.local,
            ),
            required,
            evidence,
        )
    return passed(seen, required, evidence)


@stun_check(
    id="stun.binding",
    title=_("STUN reports clients' addresses correctly"),
    severity=Severity.HIGH,
    requirements=("R03",),
    # It runs and does not answer: it hangs, or has other settings than ours.
    remedy="{ssh} systemctl restart coturn; {install}",
    needs=("stun.service", "ports.stun-udp"),
)
def _binding(subject: Subject) -> Judgement:
    return judge_binding(subject.facts.get(bound, _port(subject, "stun-udp")))


def judge_tls(found: StunResult, fqdn: str) -> Judgement:
    """Require a STUN response over TLS, with the portal's certificate."""
    required = _(
        "a STUN Binding response over TLS, with a verifiable certificate for {fqdn}", fqdn=fqdn
    )
    if found.binding is None:
        return failed(_("no STUN Binding response over TLS"), required, found.error)
    return passed(
        _("responded in {milliseconds:.1f} ms", milliseconds=found.binding.milliseconds),
        required,
        found.server,
    )


@stun_check(
    id="stun.tls",
    title=_("STUN and TURN respond over TLS"),
    severity=Severity.MEDIUM,
    requirements=("R03", "R08"),
    remedy="{install}",
    # These judge the certificate first: clients verify the same one here.
    needs=("stun.service", "stun.binding", "tls.turn-tls.trust", "tls.turn-tls.name"),
)
def _tls(subject: Subject) -> Judgement:
    roots = str(subject.state.pki / "portal-ca.pem")
    answer = subject.facts.get(bound_by_tls, _port(subject, "turn-tls"), roots)
    return judge_tls(answer, subject.site.fqdn)


def judge_refused(found: Relay, who: str) -> Judgement:
    """Require that TURN refuses a relay to clients without a valid credential."""
    required = _("error {unauthorized} for {who}", unauthorized=_UNAUTHORIZED, who=who)
    if found.allocation is None:
        return failed(_("no response"), required, found.error)
    if found.allocation.error == 0:
        return failed(
            _("a relay on {relayed}", relayed=found.allocation.relayed), required, found.server
        )
    if found.allocation.error != _UNAUTHORIZED:
        return warned(_("error {error}", error=found.allocation.error), required, found.server)
    return passed(_("error {unauthorized}", unauthorized=_UNAUTHORIZED), required, found.server)


@stun_check(
    id="stun.anonymous",
    title=_("TURN rejects clients without a credential"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{install}",
    needs=("stun.service", "stun.binding"),
)
def _nobody(subject: Subject) -> Judgement:
    relay = subject.facts.get(relay_for_nobody, _port(subject, "stun-udp"))
    return judge_refused(relay, _("a client without a credential"))


@stun_check(
    id="stun.credential",
    title=_("TURN rejects a wrong credential"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{install}",
    needs=("stun.service", "stun.binding", "stun.anonymous"),
)
def _stranger(subject: Subject) -> Judgement:
    relay = subject.facts.get(relay_for_stranger, _port(subject, "stun-udp"))
    return judge_refused(relay, _("a credential from another secret"))


def judge_relay(found: Relay, first: int, last: int) -> Judgement:
    """Require a relay for an agent's credential, with the telephony server as a permitted peer.

    `first` to `last` are the ports that the firewall opens for relays.
    """
    required = _(
        "a relay on a port from {first} to {last} for a time-limited credential, "
        "with permission for the telephony server",
        first=first,
        last=last,
    )
    if found.allocation is None:
        return failed(_("no response"), required, found.error)
    if found.allocation.error:
        return failed(_("error {error}", error=found.allocation.error), required, found.server)
    relayed = found.allocation.relayed
    refused = dict(found.allocation.permissions).get(relayed, 0)
    if refused:
        return failed(
            _(
                "a relay on {relayed}, but error {refused} for the server itself",
                relayed=relayed,
                refused=refused,
            ),
            required,
            _permissions(found),
        )
    port = found.allocation.relayed_port
    told = _("a relay on {relayed} port {port}", relayed=relayed, port=port)
    if not first <= port <= last:
        return failed(
            _("{told}, which the firewall does not open", told=told), required, _permissions(found)
        )
    return passed(told, required, _permissions(found))


@stun_check(
    id="stun.relay",
    title=_("TURN relays to the telephony server"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{install}",
    needs=("stun.service", "stun.binding"),
)
@_with_secret
def _relay(subject: Subject, found: Relay) -> Judgement:
    planned = subject.plan.tuning.stun
    return judge_relay(found, planned.relay_start, planned.relay_end)


def judge_peers(found: Relay) -> Judgement:
    """Require that a relay refuses private and special addresses as peers."""
    required = _(
        "error {forbidden} for each of {forbidden_peers}",
        forbidden=_FORBIDDEN,
        forbidden_peers=joined(", ", FORBIDDEN_PEERS),
    )
    if found.allocation is None or found.allocation.error:
        return skipped(_("no relay is available for the test"), required, found.error)
    got = dict(found.allocation.permissions)
    wrong = [peer for peer in FORBIDDEN_PEERS if got.get(peer) != _FORBIDDEN]
    if wrong:
        return failed(
            _("relayed to {wrong}", wrong=joined(", ", wrong)), required, _permissions(found)
        )
    return passed(
        _("all {count} refused", count=len(FORBIDDEN_PEERS)), required, _permissions(found)
    )


@stun_check(
    id="stun.peers",
    title=_("TURN does not relay to private or special addresses"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{install}",
    needs=("stun.service", "stun.relay"),
)
@_with_secret
def _peers(_: Subject, found: Relay) -> Judgement:
    return judge_peers(found)


def _permissions(found: Relay) -> str:
    given = found.allocation.permissions if found.allocation else ()
    lines = [f"{peer}: {'permitted' if code == 0 else f'error {code}'}" for peer, code in given]
    return "\n".join([found.server, *lines])


CHECKS = checks_of(globals())
