"""MySQL's TLS is judged as that of the other services is, within MySQL's own protocol."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.subjects import FakeRunner, subjects
from tests.unit.clients.servers import Identity, identity, mysql_greeting, mysql_server
from ucontact_appliance.checks.model import Judgement, Subject, Verdict
from ucontact_appliance.checks.mysql_tls import CHECKS
from ucontact_appliance.facts.certificates import CertificatePair
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.state import StatePaths

CHECK = {check.id: check for check in CHECKS}


class Tunnel(FakeRunner):
    """A host whose every port is the stand-in's."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        yield self.port


class Disk(FactSource):
    """A host on whose disk the internal certificate is that one."""

    def __init__(self, reach: ProbeContext, certificate: str) -> None:
        super().__init__(reach)
        self.certificate = certificate

    def get(self, probe, *args):  # type: ignore[no-untyped-def]
        if probe.__name__ == "pair":
            return CertificatePair(self.certificate, "", "", "")
        return super().get(probe, *args)


@pytest.fixture
def served(tmp_path: Path) -> Identity:
    return identity(tmp_path)


def judged(check_id: str, made: Identity, *, on_disk: str = "") -> Judgement:
    """What the check says of a server with TLS 1.2 and 1.3 and two good ciphers."""
    with mysql_server(mysql_greeting(0xFFFF), made) as (port, _):
        first = subjects()[0]
        reach = replace(first.facts.reach, runner=Tunnel(port))
        etc = made.certificate.parent / "etc"
        (etc / "pki").mkdir(parents=True)
        (etc / "pki" / "ca.pem").write_bytes(made.certificate.read_bytes())
        state = StatePaths(etc=etc, var=first.state.var)
        subject: Subject = replace(first, state=state, facts=Disk(reach, on_disk))
        return CHECK[check_id].judge(subject)


def test_versions_are_asked_for_behind_the_tunnel(served: Identity) -> None:
    found = judged("mysql.protocols", served)
    assert found.verdict is Verdict.PASS
    assert found.observed.startswith("TLSv1.2, TLSv1.3")


def test_ciphers_without_secrecy_are_seen_to_be_refused(served: Identity) -> None:
    found = judged("mysql.ciphers", served)
    assert found.verdict is Verdict.PASS
    assert "CBC mode" in found.observed


def test_a_cipher_without_secrecy_is_named(
    served: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lenient(made: Identity) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate, made.key)
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    monkeypatch.setattr("tests.unit.clients.servers.server_context", lenient)
    found = judged("mysql.ciphers", served)
    assert found.verdict is Verdict.FAIL
    assert "CBC mode: ECDHE-ECDSA-AES" in found.observed
    assert "RESET PERSIST" in CHECK["mysql.ciphers"].remedy


def test_what_is_served_is_compared_with_the_disk(served: Identity, tmp_path: Path) -> None:
    same = judged("certificates.served.mysql", served, on_disk=served.certificate.read_text())
    assert same.verdict is Verdict.PASS
    assert same.required == "port 3306 serves /etc/ssl/ucontact/internal.pem"


def test_another_certificate_on_disk_is_told(served: Identity, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = identity(tmp_path / "other").certificate.read_text()
    found = judged("certificates.served.mysql", served, on_disk=other)
    assert found.verdict is Verdict.FAIL
    assert "another certificate is served" in found.observed
