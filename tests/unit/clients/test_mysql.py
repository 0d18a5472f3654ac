"""Where TLS begins within MySQL's protocol, tried on a stand-in that greets as recorded."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.unit.clients.servers import CLIENT_SSL, NAME, identity, mysql_greeting, mysql_server
from ucontact_appliance.clients.mysql import open_tls
from ucontact_appliance.clients.tls import Endpoint, Offer, handshake, offer_ciphers, offer_version
from ucontact_appliance.errors import UnreachableError


def test_tls_begins_behind_the_greeting_and_a_request(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with mysql_server(mysql_greeting(0xFFFF), made) as (port, asked):
        where = Endpoint("127.0.0.1", port, NAME, open_tls)
        found = handshake(where, made.certificate)
        weak = offer_ciphers(where, "CBC", "ECDHE-ECDSA-AES128-SHA")
        newest = offer_version(where, "TLSv1.3")
    assert (found.version, found.problem) == ("TLSv1.3", "")
    assert (weak.offer, newest.offer) == (Offer.REFUSED, Offer.ACCEPTED)
    request = asked[0]
    assert request[:4] == b"\x20\x00\x00\x01"  # 32 octets, the second packet
    capabilities, largest, charset = struct.unpack_from("<IIB", request, 4)
    assert capabilities & CLIENT_SSL
    assert (largest, charset, request[13:]) == (0xFFFFFF, 45, bytes(23))


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (mysql_greeting(0xFFFF & ~CLIENT_SSL), "MySQL offers no TLS"),
        (b"\x0a\0\0\0\xff\x10\x04Too many", "MySQL refuses connections"),
        (b"\x04\0\0\0SSH-", "not a MySQL server"),
        (b"", "MySQL closed the connection during its greeting"),
        (b"\x20\0\0\0\x0a8.4", "MySQL closed the connection during its greeting"),
    ],
)
def test_what_offers_no_tls_is_told_as_that(first: bytes, says: str) -> None:
    with (
        mysql_server(first) as (port, _),
        pytest.raises(UnreachableError, match=says),
    ):
        handshake(Endpoint("127.0.0.1", port, NAME, open_tls), None)
