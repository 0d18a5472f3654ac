"""Checks of the TLS services: certificate, versions, forward secrecy (R01, R02, R08).

Every service gets the same checks; those that browsers connect to get some more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from cryptography.x509 import load_der_x509_certificate

from ucontact_appliance.checks.expiry import WARN_DAYS, verdict_on
from ucontact_appliance.checks.model import (
    Check,
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
from ucontact_appliance.checks.tls_services import (
    CIPHERS,
    CURVES,
    OFFERED_VERSIONS,
    PROTOCOLS,
    SERVICES,
    WEAK_CIPHERS,
    TlsService,
    roots_file,
)
from ucontact_appliance.clients.tls import Handshake, Offer, OfferResult
from ucontact_appliance.facts import tls as facts
from ucontact_appliance.language.messages import Message, _, concatenated, joined, verbatim
from ucontact_appliance.planning.certificates import days_left, names_of, speaks_for


def _question(
    service: TlsService,
    name: str,
    title: Message,
    severity: Severity,
    *,
    requirements: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
) -> Callable[[Callable[[Subject], Judgement]], Check]:
    """Return a decorator for a check of the service, which is judged once the service answers."""
    return check(
        id=f"tls.{service.id}.{name}",
        title=title,
        severity=severity,
        requirements=(service.requirement, *requirements),
        remedy="{install}",
        role=service.role,
        needs=(service.answers, *needs),
        timeout=20.0,
    )


def _greeting(subject: Subject, service: TlsService) -> Handshake:
    return subject.facts.get(facts.greeting, service.port, roots_file(subject))


def _on_disk(service: TlsService) -> tuple[str, ...]:
    """Return the checks that the certificate on disk is valid, and is the one served."""
    return ("certificates.portal", f"certificates.served.{service.id}")


def judge_trust(found: Handshake, roots: str) -> Judgement:
    """Require that the served chain verifies against a trusted root today."""
    required = _("verifies against {roots}", roots=roots)
    certificate = load_der_x509_certificate(found.certificate)
    evidence = (
        f"subject: {certificate.subject.rfc4514_string()}\n"
        f"issuer: {certificate.issuer.rfc4514_string()}\n"
        f"names: {', '.join(names_of(certificate))}"
    )
    if found.problem:
        return failed(verbatim(found.problem), required, evidence)
    issuer = certificate.issuer.rfc4514_string()
    return passed(_("verified, issued by {issuer}", issuer=issuer), required, evidence)


def _trust(service: TlsService) -> Check:
    @_question(
        service,
        "trust",
        _("The certificate of {title} is trusted", title=service.title),
        Severity.CRITICAL,
        needs=_on_disk(service),
    )
    def judge(subject: Subject) -> Judgement:
        return judge_trust(_greeting(subject, service), roots_file(subject))

    return judge


def judge_names(found: Handshake, name: str) -> Judgement:
    """Require a certificate for the portal's name."""
    certificate = load_der_x509_certificate(found.certificate)
    names = joined(", ", names_of(certificate)) or _("none")
    required = _("the certificate is valid for {name}", name=name)
    return (passed if speaks_for(certificate, name) else failed)(names, required)


def _name(service: TlsService) -> Check:
    @_question(
        service,
        "name",
        _("The certificate of {title} has the portal's name", title=service.title),
        Severity.CRITICAL,
        needs=_on_disk(service),
    )
    def judge(subject: Subject) -> Judgement:
        return judge_names(_greeting(subject, service), subject.site.fqdn)

    return judge


def judge_expiry(found: Handshake, now: datetime) -> Judgement:
    """Judge the days until the certificate expires."""
    certificate = load_der_x509_certificate(found.certificate)
    left = math.floor(days_left(certificate, now))
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    required = _("valid for {warn_days} more days at least", warn_days=WARN_DAYS)
    told = (
        _("expired on {until}", until=until)
        if left < 0
        else _("valid until {until}, {left} days", until=until, left=left)
    )
    return Judgement(verdict_on(left), told, required)


def _expiry(service: TlsService) -> Check:
    @_question(
        service,
        "expiry",
        _("The certificate of {title} does not expire soon", title=service.title),
        Severity.HIGH,
        needs=(*_on_disk(service), f"tls.{service.id}.trust", "certificates.dates"),
    )
    def judge(subject: Subject) -> Judgement:
        return judge_expiry(_greeting(subject, service), subject.now)

    return judge


def judge_versions(
    answers: tuple[OfferResult, ...], wanted: tuple[str, ...], least: tuple[str, ...] | None = None
) -> Judgement:
    """Require at least the versions of `least` (all of `wanted` if None), no others (R08)."""
    least = wanted if least is None else least
    required = _("{least}, nothing older", least=joined(_(" and "), least))
    evidence = "\n".join(answer.line for answer in answers)
    spoken = [answer.offered for answer in answers if answer.offer is Offer.ACCEPTED]
    old = [version for version in spoken if version not in wanted]
    missing = [a.offered for a in answers if a.offered in least and a.offer is Offer.REFUSED]
    if old:
        return failed(_("{old} is accepted", old=joined(", ", old)), required, evidence)
    if missing:
        return failed(_("{missing} is refused", missing=joined(", ", missing)), required, evidence)
    unseen = [answer.offered for answer in answers if answer.offer is Offer.UNTESTABLE]
    told = _("; not testable here: {unseen}", unseen=joined(", ", unseen)) if unseen else ""
    return passed(
        concatenated((", ".join(spoken), told)),
        required,
        evidence,
    )


def _versions(service: TlsService) -> Check:
    @_question(
        service,
        "versions",
        _("{leading} rejects TLS older than 1.2", leading=service.leading),
        Severity.HIGH,
        requirements=("R08",),
    )
    def judge(subject: Subject) -> Judgement:
        answers = subject.facts.get(facts.versions, service.port, OFFERED_VERSIONS)
        return judge_versions(answers, PROTOCOLS, service.least)

    return judge


def judge_secrecy(answers: tuple[OfferResult, ...]) -> Judgement:
    """Fail if a cipher without forward secrecy or authenticated encryption is accepted (R08)."""
    required = _("only ciphers with forward secrecy and authenticated encryption")
    evidence = "\n".join(answer.line for answer in answers)
    weak = [answer for answer in answers if answer.offer is Offer.ACCEPTED]
    if weak:
        told = joined(
            "; ", (concatenated((_(answer.offered), f": {answer.agreed}")) for answer in weak)
        )
        return failed(_("accepted: {told}", told=told), required, evidence)
    refused = [_(answer.offered) for answer in answers if answer.offer is Offer.REFUSED]
    if not refused:
        return skipped(_("this machine's OpenSSL can offer none of the weak ciphers"), required)
    unseen = [_(answer.offered) for answer in answers if answer.offer is Offer.UNTESTABLE]
    tested = _("refused: {refused}", refused=joined("; ", refused))
    if unseen:
        tested += _("; not testable here: {unseen}", unseen=joined(", ", unseen))
    return passed(tested, required, evidence)


def _secrecy(service: TlsService) -> Check:
    @_question(
        service,
        "secrecy",
        _("{leading} accepts only ciphers with forward secrecy", leading=service.leading),
        Severity.HIGH,
        requirements=("R08",),
    )
    def judge(subject: Subject) -> Judgement:
        answers = subject.facts.get(facts.cipher_groups, service.port, WEAK_CIPHERS)
        return judge_secrecy(answers)

    return judge


def judge_preference(found: facts.Preference) -> Judgement:
    """Require that the server's cipher order counts, not the client's (R08)."""
    required = _("the server uses its own cipher order")
    evidence = (
        f"offered {':'.join(found.offered)}: {found.forwards or 'refused'}\n"
        f"offered {':'.join(found.offered[::-1])}: {found.backwards or 'refused'}"
    )
    if not found.forwards:
        return failed(_("none of the guideline's ciphers is accepted"), required, evidence)
    if found.forwards != found.backwards:
        return warned(
            _("the client's order is used (every accepted cipher has forward secrecy)"),
            required,
            evidence,
        )
    return passed(
        _("{forwards}, regardless of the order offered", forwards=found.forwards),
        required,
        evidence,
    )


def _order(service: TlsService) -> Check:
    @_question(
        service,
        "order",
        _("{leading} uses its own cipher order", leading=service.leading),
        Severity.LOW,
        requirements=("R08",),
    )
    def judge(subject: Subject) -> Judgement:
        certificate = _greeting(subject, service).certificate
        found = subject.facts.get(facts.preference, service.port, certificate, CIPHERS)
        return judge_preference(found)

    return judge


def judge_curves(answers: tuple[OfferResult, ...]) -> Judgement:
    """Require the curves that every browser supports."""
    required = _("key exchange over X25519 and P-256 at least")
    evidence = "\n".join(answer.line for answer in answers)
    known = {answer.offered: answer.offer for answer in answers}
    least = ("X25519", "prime256v1")
    if all(known.get(name) is Offer.UNTESTABLE for name in least):
        return skipped(_("no openssl program on this machine to test curves"), required)
    missing = [name for name in least if known.get(name) is Offer.REFUSED]
    if missing:
        return failed(_("{missing} is refused", missing=joined(", ", missing)), required, evidence)
    spoken = [answer.offered for answer in answers if answer.offer is Offer.ACCEPTED]
    return passed(joined(", ", spoken), required, evidence)


def _curves(service: TlsService) -> Check:
    @_question(
        service,
        "curves",
        _("{leading} supports the usual curves", leading=service.leading),
        Severity.MEDIUM,
        requirements=("R08",),
    )
    def judge(subject: Subject) -> Judgement:
        return judge_curves(subject.facts.get(facts.curves, service.port, CURVES))

    return judge


def judge_alpn(found: Handshake, service: TlsService) -> Judgement:
    """Require the service's protocol by ALPN: HTTP/2 for the portal, HTTP/1.1 for WebSockets."""
    required = _(
        "{alpn} for a client that offers {offered_alpn}",
        alpn=service.alpn,
        offered_alpn=joined(", ", service.offered_alpn),
    )
    if found.alpn == service.alpn:
        return passed(verbatim(found.alpn), required)
    if not found.alpn and service.alpn == "http/1.1":
        return passed(_("no ALPN: HTTP/1.1 is assumed (RFC 7301)"), required)
    return failed(verbatim(found.alpn or _("no ALPN")), required)


def _alpn(service: TlsService) -> Check:
    @_question(
        service,
        "alpn",
        _("{leading} negotiates the right HTTP version", leading=service.leading),
        Severity.HIGH,
    )
    def judge(subject: Subject) -> Judgement:
        roots, offered = roots_file(subject), service.offered_alpn
        found = subject.facts.get(facts.greeting, service.port, roots, offered)
        return judge_alpn(found, service)

    return judge


_ALL = (_trust, _name, _expiry, _versions, _secrecy)
# Browsers connect to some services only; trunks and relays get just the security checks.
_BROWSERS = (*_ALL, _order, _curves, _alpn)

TLS = tuple(made(service) for service in SERVICES for made in (_BROWSERS if service.alpn else _ALL))


CHECKS = checks_of(globals())
