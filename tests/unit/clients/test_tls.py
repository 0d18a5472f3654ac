import socket
import ssl
from pathlib import Path

import pytest

from tests.unit.clients.servers import NAME, identity, server_context, tls_server
from ucontact_appliance.clients.tls import (
    Endpoint,
    Offer,
    agreed_cipher,
    handshake,
    offer_ciphers,
    offer_version,
    parse_s_client,
)
from ucontact_appliance.errors import UnreachableError

FIRST, SECOND = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_a_handshake_that_verifies(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with tls_server(server_context(made)) as port:
        found = handshake(Endpoint("127.0.0.1", port, NAME), made.certificate, ("h2", "http/1.1"))
    assert (found.version, found.alpn, found.problem) == ("TLSv1.3", "h2", "")
    pem = ssl.DER_cert_to_PEM_cert(found.certificate)
    assert pem.split() == made.certificate.read_text().split()


def test_what_does_not_verify_is_still_looked_at(tmp_path: Path) -> None:
    made = identity(tmp_path, days=-1)
    with tls_server(server_context(made)) as port:
        endpoint = Endpoint("127.0.0.1", port, NAME)
        expired = handshake(endpoint, made.certificate)
        unknown = handshake(endpoint, None)
    assert expired.problem == "certificate has expired"
    assert "self-signed" in unknown.problem
    assert expired.certificate


def test_the_name_is_the_callers_to_judge(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with tls_server(server_context(made)) as port:
        found = handshake(Endpoint("127.0.0.1", port, "other.example.com"), made.certificate)
    assert found.problem == ""


def test_versions_and_ciphers_on_offer(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with tls_server(server_context(made)) as port:
        endpoint = Endpoint("127.0.0.1", port, NAME)
        versions = {v: offer_version(endpoint, v).offer for v in ("TLSv1.1", "TLSv1.2", "TLSv1.3")}
        weak = offer_ciphers(endpoint, "CBC", "ECDHE-ECDSA-AES128-SHA")
        good = offer_ciphers(endpoint, "good", FIRST)
        nothing = offer_ciphers(endpoint, "no such", "NO-SUCH-CIPHER")
    assert versions["TLSv1.2"] is versions["TLSv1.3"] is Offer.ACCEPTED
    assert versions["TLSv1.1"] is not Offer.ACCEPTED
    assert weak.offer is Offer.REFUSED
    assert (good.offer, good.agreed) == (Offer.ACCEPTED, FIRST)
    assert nothing.offer is Offer.UNTESTABLE


@pytest.mark.parametrize("servers_order", [True, False])
def test_whose_order_counts(tmp_path: Path, servers_order: bool) -> None:
    context = server_context(identity(tmp_path))
    if not servers_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    with tls_server(context) as port:
        endpoint = Endpoint("127.0.0.1", port, NAME)
        chosen = [agreed_cipher(endpoint, order) for order in ((FIRST, SECOND), (SECOND, FIRST))]
    assert chosen == ([FIRST, FIRST] if servers_order else [FIRST, SECOND])


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError):
        handshake(Endpoint("127.0.0.1", port, NAME), None)
    with pytest.raises(UnreachableError):
        offer_version(Endpoint("127.0.0.1", port, NAME), "TLSv1.2")


def test_somebody_who_never_answers() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(TimeoutError),
    ):
        handshake(Endpoint("127.0.0.1", listener.getsockname()[1], NAME), None, seconds=0.2)


# As openssl 3.0 printed them.
ACCEPTED = "CONNECTED(00000003)\n---\nNew, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\n"
REFUSED = "CONNECTED(00000003)\n---\nno peer certificate available\nNew, (NONE), Cipher is (NONE)\n"
UNKNOWN = (
    "Call to SSL_CONF_cmd(-groups, X25519MLKEM768) failed\n"
    "error:0A080106:SSL routines:gid_cb:passed invalid argument: group cannot be set\n"
)


def test_curves_by_openssl() -> None:
    assert parse_s_client("X25519", ACCEPTED, "").agreed == "TLS_AES_256_GCM_SHA384"
    assert parse_s_client("secp521r1", REFUSED, "alert 40").offer is Offer.REFUSED
    assert parse_s_client("X25519MLKEM768", "", UNKNOWN).offer is Offer.UNTESTABLE
    with pytest.raises(UnreachableError):
        parse_s_client("X25519", "", "BIO_connect:connect error\nconnect:errno=111\n")


def test_an_offer_that_is_left_unanswered_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = Endpoint("127.0.0.1", silent.getsockname()[1], "demo.ucontact.test")
        assert offer_version(where, "TLSv1.2", 0.2).offer is Offer.REFUSED
