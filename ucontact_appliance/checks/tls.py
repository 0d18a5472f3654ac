"""Checks of TLS on the portal's port and on signalling's: trust, versions, secrecy (R01, R02, R08).

Both services get the same checks, by one table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.x509 import load_der_x509_certificate

from ucontact_appliance.checks.expiry import WARN_DAYS, verdict_on
from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.clients.tls import Answer, Handshake, Offer
from ucontact_appliance.facts import tls as facts
from ucontact_appliance.planning.certificates import days_left, names_of, speaks_for
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.tables import ports
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("tls")
PROTOCOLS: tuple[str, ...] = tuple(_TABLE["protocols"])
# What every service is offered: all versions, those first that it has to refuse, and by title and
# OpenSSL cipher string the groups of TLS 1.2 ciphers that it has to refuse.
OFFERED_VERSIONS: tuple[str, ...] = (*_TABLE["refused_protocols"], *PROTOCOLS)
WEAK_CIPHERS = tuple((row["title"], row["ciphers"]) for row in _TABLE["refused_ciphers"])
_CIPHERS: tuple[str, ...] = tuple(_TABLE["ciphers"])


@dataclass(frozen=True)
class Service:
    """A TLS service: its row in the port registry, what it must be called, and what it needs."""

    id: str
    title: str
    role: Role
    requirement: str
    needs: tuple[str, ...]
    answers: str  # the check that it answers at all, which these build on
    least: tuple[str, ...] = PROTOCOLS  # versions that it has to speak
    alpn: str = ""  # the protocol inside (RFC 7301); empty where none is negotiated
    offered_alpn: tuple[str, ...] = ()

    @property
    def port(self) -> int:
        """Its number in the port registry."""
        return int(next(row.port for row in ports() if row.id == self.id))


SERVICES = (
    Service(
        id="https",
        title="the portal (443)",
        role=Role.BACKEND,
        requirement="R01",
        alpn="h2",
        offered_alpn=("h2", "http/1.1"),
        needs=("web.service", "ports.https", "web.sites"),
        answers="web.answers",
    ),
    Service(
        id="wss",
        title="signalling (8089)",
        role=Role.TELEPHONY,
        requirement="R02",
        # A WebSocket is upgraded from HTTP/1.1. A server without ALPN speaks that too (RFC 7301).
        alpn="http/1.1",
        offered_alpn=("http/1.1",),
        needs=("ports.wss", "asterisk.sessions-free", "asterisk.banned"),
        answers="wss.answers",
    ),
    Service(
        id="sip-tls",
        title="SIP TLS (5061)",
        role=Role.TELEPHONY,
        requirement="R04",
        # PJSIP reads the pair on disk at each connection.
        needs=("asterisk.service", "ports.sip-tls", "asterisk.banned", "certificates.portal"),
        least=("TLSv1.2",),  # PJSIP speaks one version at a time
        answers="tls.sip-tls.answers",
    ),
    Service(
        id="turn-tls",
        title="TURN over TLS (5349)",
        role=Role.TELEPHONY,
        requirement="R03",
        needs=("ports.turn-tls", "stun.binding"),
        least=("TLSv1.2",),  # coturn 4.5, of Debian 11, knows no newer one
        answers="tls.turn-tls.answers",
    ),
)


def roots_file(subject: Subject) -> str:
    """The roots that the portal's certificate verifies against, on this machine."""
    return str(subject.state.pki / "portal-ca.pem")


def _greeting(subject: Subject, service: Service) -> Handshake:
    return subject.facts.get(facts.greeting, service.port, roots_file(subject))


def judge_trust(found: Handshake, roots: str) -> Judgement:
    """The served chain leads to a trusted root, today."""
    required = f"verifies against {roots}"
    certificate = load_der_x509_certificate(found.certificate)
    evidence = (
        f"subject: {certificate.subject.rfc4514_string()}\n"
        f"issuer: {certificate.issuer.rfc4514_string()}\n"
        f"names: {', '.join(names_of(certificate))}"
    )
    if found.problem:
        return failed(found.problem, required, evidence)
    issuer = certificate.issuer.rfc4514_string()
    return passed(f"verified, issued by {issuer}", required, evidence)


def judge_names(found: Handshake, name: str) -> Judgement:
    """The certificate speaks for the portal's name."""
    certificate = load_der_x509_certificate(found.certificate)
    names = ", ".join(names_of(certificate)) or "none"
    required = f"the certificate speaks for {name}"
    return (passed if speaks_for(certificate, name) else failed)(names, required)


def judge_expiry(found: Handshake, now: datetime) -> Judgement:
    """Days until the certificate ends."""
    certificate = load_der_x509_certificate(found.certificate)
    left = math.floor(days_left(certificate, now))
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    required = f"valid for {WARN_DAYS} more days at least"
    told = f"ended on {until}" if left < 0 else f"valid until {until}, {left} days"
    return Judgement(verdict_on(left), told, required)


def judge_versions(
    answers: tuple[Answer, ...], wanted: tuple[str, ...], least: tuple[str, ...] | None = None
) -> Judgement:
    """TLS 1.2 and 1.3 are spoken, older ones refused (R08); at least those of `least`."""
    least = wanted if least is None else least
    required = f"{' and '.join(least)}, nothing older"
    evidence = "\n".join(answer.line for answer in answers)
    spoken = [answer.offered for answer in answers if answer.offer is Offer.ACCEPTED]
    old = [version for version in spoken if version not in wanted]
    missing = [a.offered for a in answers if a.offered in least and a.offer is Offer.REFUSED]
    if old:
        return failed(f"{', '.join(old)} is accepted", required, evidence)
    if missing:
        return failed(f"{', '.join(missing)} is refused", required, evidence)
    unseen = [answer.offered for answer in answers if answer.offer is Offer.UNTESTABLE]
    told = f"; not testable here: {', '.join(unseen)}" if unseen else ""
    return passed(f"{', '.join(spoken)}{told}", required, evidence)


def judge_secrecy(answers: tuple[Answer, ...]) -> Judgement:
    """Nothing without forward secrecy or authenticated encryption is accepted (R08)."""
    required = "only ciphers with forward secrecy and authenticated encryption"
    evidence = "\n".join(answer.line for answer in answers)
    weak = [answer for answer in answers if answer.offer is Offer.ACCEPTED]
    if weak:
        told = "; ".join(f"{answer.offered}: {answer.agreed}" for answer in weak)
        return failed(f"accepted: {told}", required, evidence)
    refused = [answer.offered for answer in answers if answer.offer is Offer.REFUSED]
    if not refused:
        return skipped("this machine's OpenSSL can offer none of the weak ciphers", required)
    unseen = [answer.offered for answer in answers if answer.offer is Offer.UNTESTABLE]
    told = f"; not testable here: {', '.join(unseen)}" if unseen else ""
    return passed(f"refused: {'; '.join(refused)}{told}", required, evidence)


def judge_preference(found: facts.Preference) -> Judgement:
    """The server's order counts, not the client's (R08: the server prefers)."""
    required = "the server chooses by its own order"
    evidence = (
        f"offered {':'.join(found.offered)}: {found.forwards or 'refused'}\n"
        f"offered {':'.join(found.offered[::-1])}: {found.backwards or 'refused'}"
    )
    if not found.forwards:
        return failed("none of the guideline's ciphers is accepted", required, evidence)
    if found.forwards != found.backwards:
        return warned(
            "the client's order counts (every cipher that is accepted has forward secrecy)",
            required,
            evidence,
        )
    return passed(f"{found.forwards}, in whichever order they are offered", required, evidence)


def judge_curves(answers: tuple[Answer, ...]) -> Judgement:
    """The curves that every browser knows are spoken."""
    required = "key exchange over X25519 and P-256 at least"
    evidence = "\n".join(answer.line for answer in answers)
    known = {answer.offered: answer.offer for answer in answers}
    least = ("X25519", "prime256v1")
    if all(known.get(name) is Offer.UNTESTABLE for name in least):
        return skipped("no openssl program on this machine to offer curves with", required)
    missing = [name for name in least if known.get(name) is Offer.REFUSED]
    if missing:
        return failed(f"{', '.join(missing)} is refused", required, evidence)
    spoken = [answer.offered for answer in answers if answer.offer is Offer.ACCEPTED]
    return passed(", ".join(spoken), required, evidence)


def judge_alpn(found: Handshake, service: Service) -> Judgement:
    """What is spoken inside: HTTP/2 for the portal, HTTP/1.1 for WebSockets."""
    required = f"{service.alpn} for a client that offers {', '.join(service.offered_alpn)}"
    if found.alpn == service.alpn:
        return passed(found.alpn, required)
    if not found.alpn and service.alpn == "http/1.1":
        return passed("no ALPN: HTTP/1.1 is understood (RFC 7301)", required)
    return failed(found.alpn or "no ALPN", required)


def _trust(subject: Subject, service: Service) -> Judgement:
    return judge_trust(_greeting(subject, service), roots_file(subject))


def _names(subject: Subject, service: Service) -> Judgement:
    return judge_names(_greeting(subject, service), subject.site.fqdn)


def _expiry(subject: Subject, service: Service) -> Judgement:
    return judge_expiry(_greeting(subject, service), subject.now)


def _versions(subject: Subject, service: Service) -> Judgement:
    answers = subject.facts.get(facts.versions, service.port, OFFERED_VERSIONS)
    return judge_versions(answers, PROTOCOLS, service.least)


def _secrecy(subject: Subject, service: Service) -> Judgement:
    return judge_secrecy(subject.facts.get(facts.cipher_groups, service.port, WEAK_CIPHERS))


def _preference(subject: Subject, service: Service) -> Judgement:
    certificate = _greeting(subject, service).certificate
    return judge_preference(
        subject.facts.get(facts.preference, service.port, certificate, _CIPHERS)
    )


def _curves(subject: Subject, service: Service) -> Judgement:
    names = tuple(row["name"] for row in _TABLE["curves"])
    return judge_curves(subject.facts.get(facts.curves, service.port, names))


def _alpn(subject: Subject, service: Service) -> Judgement:
    found = subject.facts.get(
        facts.greeting, service.port, roots_file(subject), service.offered_alpn
    )
    return judge_alpn(found, service)


@dataclass(frozen=True)
class _Question:
    id: str
    title: str
    severity: Severity
    requirements: tuple[str, ...]
    judge: Callable[[Subject, Service], Judgement]
    needs: tuple[str, ...] = ()  # with the service's id in place of {}


# What is served is what lies on disk, unless the check of that very difference says otherwise.
_ON_DISK = ("certificates.portal", "certificates.served.{}")
_QUESTIONS = (
    _Question("trust", "The certificate of {} verifies", Severity.CRITICAL, (), _trust, _ON_DISK),
    _Question(
        "name",
        "The certificate of {} has the portal's name",
        Severity.CRITICAL,
        (),
        _names,
        _ON_DISK,
    ),
    _Question(
        "expiry",
        "The certificate of {} stays valid",
        Severity.HIGH,
        (),
        _expiry,
        (*_ON_DISK, "tls.{}.trust", "certificates.dates"),
    ),
    _Question("versions", "{} speaks no TLS older than 1.2", Severity.HIGH, ("R08",), _versions),
    _Question("secrecy", "{} has forward secrecy only", Severity.HIGH, ("R08",), _secrecy),
    _Question("order", "{} chooses the cipher itself", Severity.LOW, ("R08",), _preference),
    _Question("curves", "{} speaks the usual curves", Severity.MEDIUM, ("R08",), _curves),
    _Question("alpn", "{} speaks the right HTTP", Severity.HIGH, (), _alpn),
)


def _check(service: Service, question: _Question) -> Check:
    title = question.title.format(service.title)
    return Check(
        id=f"tls.{service.id}.{question.id}",
        title=title[:1].upper() + title[1:],
        severity=question.severity,
        requirements=(service.requirement, *question.requirements),
        remedy="{install}",
        judge=lambda subject: question.judge(subject, service),
        role=service.role,
        needs=(service.answers, *(need.format(service.id) for need in question.needs)),
        timeout=20.0,
    )


CHECKS: tuple[Check, ...] = tuple(
    _check(service, question)
    for service in SERVICES
    for question in _QUESTIONS
    # Browsers come to the first two; trunks and relays are asked what keeps others out.
    if service.alpn or question.id not in ("order", "curves", "alpn")
)
