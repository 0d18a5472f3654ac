"""What becomes of a call that a provider does not take, and what the doctor says of its trunk."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.centre import Centre, a_centre, until
from tests.e2e.installed import Installed
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.sip import SipRefusedError
from ucontact_appliance.lab import layout

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

PROVIDER, FIRST, SECOND = str(layout.NETWORK[-6]), 5078, 5079
NOBODY, REFUSING, SECURE = 5080, 5081, 5082  # no socket over UDP, none over TCP; TLS


def telephony() -> dict[str, Any]:
    """The section of site.yml."""
    routes = {"0": "first", "1": "busy", "2": "nobody", "3": "refusing"}
    return {
        "extensions": ["6001", "6002"],
        "trunks": [
            {"name": "first", "host": PROVIDER, "port": FIRST, "prefix": "71"},
            {"name": "busy", "host": PROVIDER, "port": FIRST, "prefix": "72"}
            | {"busy_is_overload": True},
            {"name": "nobody", "host": PROVIDER, "port": NOBODY, "prefix": "73"},
            {"name": "refusing", "host": PROVIDER, "port": REFUSING, "prefix": "74"}
            | {"transport": "tcp"},
            {"name": "second", "host": PROVIDER, "port": SECOND, "prefix": "8"},
            {"name": "account", "host": PROVIDER, "port": FIRST, "prefix": "75"}
            | {"username": "100", "register": True},
            {"name": "secure", "host": PROVIDER, "port": SECURE, "prefix": "76"}
            | {"transport": "tls"},
        ],
        "routes": [
            {
                "name": f"by-{trunk}",
                "prefix": f"9{digit}",
                "trunks": [{"trunk": trunk}, {"trunk": "second", "priority": 2}],
            }
            for digit, trunk in routes.items()
        ],
    }


@pytest.fixture(scope="module")
def centre(installed: Installed, small_site: Snapshot) -> Iterator[Centre]:
    with a_centre(
        installed,
        small_site,
        telephony(),
        PROVIDER,
        (FIRST, SECOND),
        passwords={"account": "of the account"},
        waived=["asterisk.trunks"],  # nobody is behind some of them
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(centre: Centre) -> None:
    centre.quiet()


def ends(centre: Centre, number: str) -> int:
    """The status with which a call ends; 200 when it is answered."""

    async def called() -> int:
        async with centre.phone("6001") as phone:
            try:
                await phone.dial(number, seconds=1.0)
            except SipRefusedError as error:
                return error.status
        return 200

    return asyncio.run(called())


@pytest.mark.parametrize("status", [401, 403, 408, 488, 500, 502, 503, 504])
def test_an_error_of_the_trunk_takes_the_next_one(centre: Centre, status: int) -> None:
    centre.first.status = status
    assert ends(centre, "9024001234") == 200
    assert centre.second.called() == ["24001234"]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (404, 404),
        (410, 410),
        (480, 480),
        (484, 484),
        (486, 486),
        (600, 486),
        (603, 403),
        (604, 404),
    ],
)
def test_an_answer_of_the_called_party_is_final(centre: Centre, status: int, told: int) -> None:
    centre.first.status = status
    assert ends(centre, "9024001234") == told
    assert centre.second.called() == []


def test_busy_lines_of_the_provider_take_the_next_one(centre: Centre) -> None:
    centre.first.status = 486
    assert ends(centre, "9124001234") == 200
    assert centre.second.called() == ["24001234"]


@pytest.mark.parametrize("prefix", ["92", "93"])
def test_a_trunk_without_anybody_takes_the_next_one_at_once(centre: Centre, prefix: str) -> None:
    name = {"92": "trunk-nobody", "93": "trunk-refusing"}[prefix]
    until(
        "it is not known to be away",
        lambda: f"{name}/" in _unavailable(centre),
        90,
    )
    assert ends(centre, f"{prefix}24001234") == 200
    assert centre.second.called() == ["24001234"]


def _unavailable(centre: Centre) -> str:
    shown = centre.asterisk("pjsip show contacts")
    return "\n".join(line for line in shown.splitlines() if "Unavail" in line)


@pytest.mark.parametrize("status", [401, 403, 503])
def test_the_doctor_tells_how_the_provider_answers_a_registration(
    centre: Centre, status: int
) -> None:
    centre.first.register_status = status
    try:
        centre.asterisk("pjsip send unregister trunk-account")
        centre.asterisk("pjsip send register trunk-account")
        until("no answer", lambda: "Rejected" in centre.asterisk("pjsip show registrations"))
        _, found = centre.installed.doctor("--only", "asterisk.trunks")
    finally:
        centre.first.register_status = 200
        centre.asterisk("pjsip send register trunk-account")
    told = found["asterisk.trunks"]
    refused = "refuses the account with" if status < 500 else "answers REGISTER with"
    assert f"account: the provider {refused} SIP {status}" in told["observed"]
    assert f"'{status}'" in told["evidence"] or f"{status} Forbidden" in told["evidence"]
    assert "of the account" not in json.dumps(told)  # its password


def test_the_doctor_tells_that_the_provider_s_certificate_has_expired(
    centre: Centre, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_expired(tmp_path))
    with socket.create_server((PROVIDER, SECURE)) as server:
        accepting = threading.Thread(target=_shake_hands, args=(server, context), daemon=True)
        accepting.start()
        name = "trunk-secure"
        until("no look at it", lambda: name in _unavailable(centre), 90)
        until("no line", lambda: "has expired" in centre.installed.sh(_LOG), 60)
        _, found = centre.installed.doctor("--only", "asterisk.trunks")
    told = found["asterisk.trunks"]
    assert "secure: the provider's certificate is refused" in told["observed"]
    assert "The certificate has expired" in told["observed"]
    assert "The certificate has expired" in told["evidence"]


_LOG = "tail -n 50 /var/log/asterisk/messages.log"


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock, _ = server.accept()
            with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as tls:
                tls.recv(1)


def _expired(folder: Path) -> Path:
    """A certificate of last year and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PROVIDER)])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    last = datetime.now(timezone.utc) - timedelta(days=10)
    made = made.not_valid_before(last - timedelta(days=90)).not_valid_after(last)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(PROVIDER))])
    signed = made.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    file = folder / "expired.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file
