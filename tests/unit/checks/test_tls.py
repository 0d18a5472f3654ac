import ssl
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ucontact_appliance.checks import certificates, tls
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.tls_services import SERVICES
from ucontact_appliance.clients.tls import Handshake, Offer, OfferResult
from ucontact_appliance.facts.certificates import CertificatePair
from ucontact_appliance.facts.tls import Preference

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
NAME = "contact.example.com"


def shaken(problem: str = "", alpn: str = "", days: float = 90, name: str = NAME) -> Handshake:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Handshake("TLSv1.3", "TLS_AES_128_GCM_SHA256", alpn, der, problem)


def test_trust() -> None:
    assert tls.judge_trust(shaken(), "/ca").verdict is Verdict.PASS
    judged = tls.judge_trust(shaken("certificate has expired"), "/ca")
    assert judged.verdict is Verdict.FAIL
    assert judged.observed == "certificate has expired"


def test_names() -> None:
    assert tls.judge_names(shaken(), NAME).verdict is Verdict.PASS
    assert tls.judge_names(shaken(name="other.example.com"), NAME).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("days", "verdict"),
    [
        (90, Verdict.PASS),
        (30, Verdict.PASS),
        (29.9, Verdict.WARN),
        (7, Verdict.WARN),
        (6.9, Verdict.FAIL),
        (-0.1, Verdict.FAIL),
    ],
)
def test_expiry_is_judged_alike_where_it_is_served_and_where_it_lies(
    days: float, verdict: Verdict
) -> None:
    served = shaken(days=days)
    assert tls.judge_expiry(served, NOW).verdict is verdict
    pem = ssl.DER_cert_to_PEM_cert(served.certificate)
    assert certificates.judge_dates((CertificatePair(pem, "", pem, ""),), NOW).verdict is verdict


def test_what_has_ended_is_told_by_its_date() -> None:
    assert tls.judge_expiry(shaken(days=-2), NOW).observed.startswith("expired on 20")


def answers(**offers: str) -> tuple[OfferResult, ...]:
    words = {"yes": Offer.ACCEPTED, "no": Offer.REFUSED, "?": Offer.UNTESTABLE}
    return tuple(OfferResult(name.replace("_", "."), words[word]) for name, word in offers.items())


WANTED = ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize(
    ("offers", "verdict", "says"),
    [
        ({"TLSv1": "no", "TLSv1_2": "yes", "TLSv1_3": "yes"}, Verdict.PASS, "TLSv1.2, TLSv1.3"),
        ({"TLSv1": "?", "TLSv1_2": "yes", "TLSv1_3": "yes"}, Verdict.PASS, "not testable"),
        ({"TLSv1": "yes", "TLSv1_2": "yes", "TLSv1_3": "yes"}, Verdict.FAIL, "TLSv1 is accepted"),
        ({"TLSv1": "no", "TLSv1_2": "yes", "TLSv1_3": "no"}, Verdict.FAIL, "TLSv1.3 is refused"),
    ],
)
def test_versions(offers: dict[str, str], verdict: Verdict, says: str) -> None:
    judged = tls.judge_versions(answers(**offers), WANTED)
    assert judged.verdict is verdict
    assert says in judged.observed


@pytest.mark.parametrize(
    ("offers", "verdict"),
    [
        ({"cbc": "no", "rsa": "no"}, Verdict.PASS),
        ({"cbc": "no", "rsa": "?"}, Verdict.PASS),
        ({"cbc": "?", "rsa": "?"}, Verdict.SKIP),
        ({"cbc": "yes", "rsa": "no"}, Verdict.FAIL),
    ],
)
def test_secrecy(offers: dict[str, str], verdict: Verdict) -> None:
    assert tls.judge_secrecy(answers(**offers)).verdict is verdict


@pytest.mark.parametrize(
    ("forwards", "backwards", "verdict"),
    [("a", "a", Verdict.PASS), ("a", "b", Verdict.WARN), ("", "", Verdict.FAIL)],
)
def test_order(forwards: str, backwards: str, verdict: Verdict) -> None:
    assert tls.judge_preference(Preference(("a", "b"), forwards, backwards)).verdict is verdict


@pytest.mark.parametrize(
    ("offers", "verdict"),
    [
        ({"X25519": "yes", "prime256v1": "yes", "X25519MLKEM768": "?"}, Verdict.PASS),
        ({"X25519": "yes", "prime256v1": "no"}, Verdict.FAIL),
        ({"X25519": "?", "prime256v1": "?"}, Verdict.SKIP),
    ],
)
def test_curves(offers: dict[str, str], verdict: Verdict) -> None:
    assert tls.judge_curves(answers(**offers)).verdict is verdict


@pytest.mark.parametrize(
    ("service", "alpn", "verdict"),
    [
        (0, "h2", Verdict.PASS),
        (0, "http/1.1", Verdict.FAIL),
        (0, "", Verdict.FAIL),
        (1, "http/1.1", Verdict.PASS),
        (1, "", Verdict.PASS),
    ],
)
def test_alpn(service: int, alpn: str, verdict: Verdict) -> None:
    assert tls.judge_alpn(shaken(alpn=alpn), SERVICES[service]).verdict is verdict


def test_browsers_services_get_every_question_and_others_what_keeps_strangers_out() -> None:
    ids = [check.id for check in tls.CHECKS]
    assert len(ids) == 8 + 8 + 5 + 5
    assert {id.split(".")[1] for id in ids} == {"https", "wss", "sip-tls", "turn-tls"}
