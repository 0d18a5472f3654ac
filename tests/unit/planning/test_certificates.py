"""Each way in which a customer's chain and key can be wrong is told, and the good ones pass."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.certs import NOW, Issued, issue, key_pem
from ucontact_appliance.planning.certificates import speaks_for, spki_pin
from ucontact_appliance.planning.chains import anchors, judge_chain, judge_served

FQDN = "contact.example.com"
ROOT = issue("Root", authority=True)
MIDDLE = issue("Middle", ROOT, authority=True, path_length=0)
LEAF = issue("Leaf", MIDDLE, names=[FQDN, "192.0.2.10"], server=True)
CHAIN = LEAF.pem + MIDDLE.pem


def told(
    chain: bytes = CHAIN,
    key: bytes = LEAF.key_pem,
    ca: bytes | None = ROOT.pem,
    names: tuple[str, ...] = (FQDN,),
    now: datetime = NOW,
) -> list[tuple[str, str]]:
    return [(problem.file, problem.what) for problem in judge_chain(chain, key, ca, names, now)]


def only(problems: list[tuple[str, str]], file: str, words: str) -> None:
    assert len(problems) == 1, problems
    assert problems[0][0] == file
    assert words in problems[0][1]


@pytest.mark.parametrize("ca", [ROOT.pem, None, issue("Other", authority=True).pem + ROOT.pem])
def test_a_good_chain_has_no_problem(ca: bytes | None) -> None:
    assert told(ca=ca) == []
    assert told(CHAIN + ROOT.pem, ca=ca) == []


def test_a_leaf_right_below_the_named_root_is_good() -> None:
    leaf = issue("Leaf", ROOT, names=[FQDN])
    assert told(leaf.pem, leaf.key_pem) == []


def test_text_around_the_blocks_and_windows_line_ends_do_not_matter() -> None:
    chain = b"\xef\xbb\xbfBag Attributes\r\n" + CHAIN.replace(b"\n", b"\r\n")
    assert told(chain, LEAF.key_pem.replace(b"\n", b"\r\n")) == []


@pytest.mark.parametrize("file", ["chain", "key", "ca"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"hello\n", "no PEM block"),
        (LEAF.der, "binary (DER"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary file"),
    ],
)
def test_what_is_no_pem(file: str, content: bytes, words: str) -> None:
    only(told(**{file: content}), file, words)  # type: ignore[arg-type]


@given(st.binary(max_size=200))
def test_any_bytes_are_told_never_raised(content: bytes) -> None:
    wrapped = b"-----BEGIN CERTIFICATE-----\n" + content + b"\n-----END CERTIFICATE-----\n"
    assert told(content)
    assert told(wrapped)
    assert told(key=content)
    assert told(key=wrapped.replace(b"CERTIFICATE", b"PRIVATE KEY"))
    assert told(ca=content)


def test_an_encrypted_key() -> None:
    only(told(key=key_pem(LEAF.key, b"passphrase")), "key", "encrypted")


def test_a_key_in_the_chain_file_would_be_served_to_everybody() -> None:
    only(told(CHAIN + LEAF.key_pem), "chain", "private key")


def test_a_key_of_another_certificate() -> None:
    only(told(key=ROOT.key_pem), "key", "does not match the certificate")


def test_the_servers_certificate_must_come_first() -> None:
    only(told(MIDDLE.pem + LEAF.pem), "chain", "wrong order")


def test_intermediates_in_the_wrong_order() -> None:
    upper = issue("Upper", ROOT, authority=True)
    lower = issue("Lower", upper, authority=True)
    leaf = issue("Leaf", lower, names=[FQDN])
    assert told(leaf.pem + lower.pem + upper.pem, leaf.key_pem) == []
    problems = told(leaf.pem + upper.pem + lower.pem, leaf.key_pem)
    assert any("wrong order" in what for _, what in problems)


@pytest.mark.parametrize("ca", [ROOT.pem, None])
def test_a_missing_intermediate(ca: bytes | None) -> None:
    only(told(LEAF.pem, ca=ca), "chain", "CN=Middle, which is not known")


def test_an_unrelated_certificate_in_between() -> None:
    other = issue("Other", authority=True)
    only(told(LEAF.pem + other.pem), "chain", "CN=Middle is missing")


def test_an_intermediate_is_no_root() -> None:
    only(told(CHAIN, ca=MIDDLE.pem), "ca", "no root")
    only(told(LEAF.pem, ca=MIDDLE.pem + ROOT.pem), "chain", "not known here")


def test_a_root_of_somebody_else() -> None:
    only(told(ca=issue("Root", authority=True).pem), "chain", "issued by CN=Root")


def test_an_issuer_that_is_no_authority() -> None:
    middle = issue("Middle", ROOT)
    leaf = issue("Leaf", middle, names=[FQDN])
    only(told(leaf.pem + middle.pem, leaf.key_pem), "chain", "not a CA certificate")


def test_more_intermediates_than_an_authority_allows() -> None:
    lower = issue("Lower", MIDDLE, authority=True)
    leaf = issue("Leaf", lower, names=[FQDN])
    only(told(leaf.pem + lower.pem + MIDDLE.pem, leaf.key_pem), "chain", "allows 0 intermediates")


def test_a_self_signed_certificate() -> None:
    leaf = issue("Leaf", names=[FQDN])
    only(told(leaf.pem, leaf.key_pem), "chain", "self-signed")


def test_names_that_it_does_not_speak_for() -> None:
    only(told(names=("portal.example.com",)), "chain", f"it is valid for {FQDN}, 192.0.2.10")


def test_a_common_name_counts_for_nothing() -> None:
    leaf = issue(FQDN, MIDDLE)
    only(told(leaf.pem + MIDDLE.pem, leaf.key_pem), "chain", "valid for nothing")


def test_a_clients_certificate() -> None:
    leaf = issue("Leaf", MIDDLE, names=[FQDN], server=False)
    only(told(leaf.pem + MIDDLE.pem, leaf.key_pem), "chain", "not a server certificate")


def test_dates() -> None:
    ends = LEAF.certificate.not_valid_after_utc
    begins = LEAF.certificate.not_valid_before_utc
    assert told(now=begins) == []
    assert told(now=ends - timedelta(seconds=1)) == []
    assert {what[:10] for _, what in told(now=ends)} == {"it expired"}
    assert all("not valid before" in what for _, what in told(now=begins - timedelta(seconds=1)))


def test_an_expired_intermediate_is_told_by_its_place() -> None:
    middle = issue("Middle", ROOT, authority=True, end=NOW - timedelta(days=1))
    leaf = issue("Leaf", middle, names=[FQDN])
    (problem,) = judge_chain(leaf.pem + middle.pem, leaf.key_pem, ROOT.pem, (FQDN,), NOW)
    assert problem.where == "the chain file, certificate 2 of 2 (CN=Middle)"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa.generate_private_key(65537, 1024), "1024 bits"),
        (ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
        (ed25519.Ed25519PrivateKey.generate(), "neither RSA nor ECDSA"),
    ],
)
def test_keys_that_browsers_refuse(key: ec.EllipticCurvePrivateKey, words: str) -> None:
    leaf = issue("Leaf", MIDDLE, names=[FQDN], key=key)
    only(told(leaf.pem + MIDDLE.pem, leaf.key_pem), "chain", words)


def test_sha1(tmp_path: Path) -> None:
    """The library signs no SHA-1 any more: openssl does."""
    root, leaf = tmp_path / "root.pem", tmp_path / "leaf.pem"
    for path, key in ((tmp_path / "root.key", ROOT.key_pem), (tmp_path / "leaf.key", LEAF.key_pem)):
        path.write_bytes(key)
    root.write_bytes(ROOT.pem)
    (tmp_path / "names").write_text(f"subjectAltName=DNS:{FQDN}\n")
    request = ["req", "-new", "-subj", "/CN=Leaf", "-key", str(tmp_path / "leaf.key")]
    asked = subprocess.run(["openssl", *request], check=True, capture_output=True)
    subprocess.run(
        [
            *("openssl", "x509", "-req", "-sha1", "-days", "900", "-set_serial", "1"),
            *("-CA", str(root), "-CAkey", str(tmp_path / "root.key"), "-out", str(leaf)),
            *("-extfile", str(tmp_path / "names")),
        ],
        input=asked.stdout,
        check=True,
        capture_output=True,
    )
    today = datetime.now(NOW.tzinfo)
    problems = told(leaf.read_bytes(), LEAF.key_pem, now=today + timedelta(minutes=5))
    only(problems, "chain", "SHA-1")


def test_several_problems_are_all_told() -> None:
    leaf = issue("Leaf", MIDDLE, names=["other.example.com"], end=NOW - timedelta(days=1))
    problems = told(leaf.pem + MIDDLE.pem, ROOT.key_pem)
    assert [file for file, _ in problems] == ["key", "chain", "chain"]


def test_a_problem_says_what_where_and_what_to_do() -> None:
    (problem,) = judge_chain(CHAIN, b"", ROOT.pem, (FQDN,), NOW)
    assert str(problem) == "the key file: it is empty. Provide a private key in PEM format."


@pytest.mark.parametrize(
    ("known", "name", "good"),
    [
        ("*.example.com", "contact.example.com", True),
        ("*.example.com", "a.contact.example.com", False),
        ("*.example.com", "example.com", False),
        ("CONTACT.example.com", "contact.EXAMPLE.com", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:0db8:0::1", True),
        ("*.0.2.1", "192.0.2.1", False),
    ],
)
def test_speaks_for(known: str, name: str, good: bool) -> None:
    assert speaks_for(issue("x", names=[known]).certificate, name) is good


def test_served_files_are_judged_by_the_public_half() -> None:
    assert judge_served(CHAIN, LEAF.public_pem, ROOT.pem, (FQDN,), NOW) == ()
    (problem,) = judge_served(CHAIN, ROOT.public_pem, ROOT.pem, (FQDN,), NOW)
    assert "does not match the certificate" in problem.what
    (problem,) = judge_served(CHAIN, b"", ROOT.pem, (FQDN,), NOW)
    assert problem.file == "key"


def test_anchors_are_the_roots_that_the_chain_ends_at() -> None:
    others = issue("Other", authority=True).pem
    assert anchors(CHAIN, others + ROOT.pem) == (ROOT.certificate,)


def test_pin_of_certificate_and_of_public_key_agree_with_openssl() -> None:
    der = LEAF.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = ["openssl", "dgst", "-sha256", "-binary"]
    hashed = subprocess.run(digest, input=der, check=True, capture_output=True).stdout
    encoded = subprocess.run(["openssl", "base64"], input=hashed, check=True, capture_output=True)
    wanted = encoded.stdout.decode().strip()
    assert spki_pin(LEAF.pem + MIDDLE.pem) == spki_pin(LEAF.public_pem) == wanted
    with pytest.raises(ValueError, match="PEM"):
        spki_pin("nothing")


def test_the_chain_of_a_test_is_what_openssl_takes(tmp_path: Path) -> None:
    """Guards the fixtures: what the tests call good, OpenSSL calls good."""
    assert isinstance(LEAF, Issued)
    for name, content in (("ca", ROOT.pem), ("middle", MIDDLE.pem), ("leaf", LEAF.pem)):
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [
            *("openssl", "verify", "-attime", str(int(NOW.timestamp()))),
            *("-CAfile", str(tmp_path / "ca"), "-untrusted", str(tmp_path / "middle")),
            str(tmp_path / "leaf"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
