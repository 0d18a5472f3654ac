"""The service that gives recordings to the backend: tickets, paths, ranges, and TLS."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import io
import json
import ssl
import subprocess
import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.roles.services import telephony_service

SECRET = "S3cretOfTheBackend"
PATH = "2026/11/30/20261130-120000_+59824001234_*43_1795905243.11.gsm"
CONTENT = bytes(range(256)) * 8
DIGEST = "ab" * 32


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = telephony_service("recordings-playback")
    root = tmp_path / "monitor"
    (root / PATH).parent.mkdir(parents=True)
    (root / PATH).write_bytes(CONTENT)
    monkeypatch.setattr(made.ucontact_plain.ucontact_recordings, "ROOT", str(root).encode())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "internal.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "internal.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    monkeypatch.setattr(made, "CERTIFICATE", str(tmp_path / "internal.pem"))
    monkeypatch.setattr(made, "KEY", str(tmp_path / "internal.key"))
    return made


@dataclass(frozen=True)
class Client:
    """The portal's NGINX."""

    module: ModuleType
    port: int
    server: Any

    def ask(
        self, ticket: str = "", method: str = "GET", path: str = "/recording", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        context = ssl.create_default_context(cafile=self.module.CERTIFICATE)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=5, context=context)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=given | {"X-Recording-Ticket": ticket})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, dict(answer.headers), body

    def ticket(self, *fields: str, seconds: float = 30, secret: str = SECRET) -> str:
        """As the backend signs it."""
        operation, *others = fields or ("recording", PATH, str(len(CONTENT)), DIGEST)
        until = str(int(time.time() + seconds))
        signed: str = self.module.ucontact_ticket.sign([operation, until, *others], secret)
        return signed


@pytest.fixture
def client(module: ModuleType) -> Iterator[Client]:
    server = module.Server("127.0.0.1", 0, SECRET)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield Client(module, server.server_address[1], server)
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_ticket_gets_the_recording(client: Client) -> None:
    status, headers, body = client.ask(client.ticket())
    assert (status, body) == (200, CONTENT)
    assert headers["Content-Type"] == "audio/gsm"
    assert headers["ETag"] == f'"{DIGEST}"'
    assert headers["Cache-Control"] == "no-store"
    status, headers, body = client.ask(client.ticket(), "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=100-", 100, 2047),
        ("bytes=-5", 2043, 2047),
        ("bytes=2000-9999", 2000, 2047),
        ("bytes=-9999", 0, 2047),
    ],
)
def test_a_range_gets_its_part(client: Client, asked: str, first: int, last: int) -> None:
    status, headers, body = client.ask(client.ticket(), Range=asked)
    assert status == 206
    assert headers["Content-Range"] == f"bytes {first}-{last}/2048"
    assert body == CONTENT[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=2048-", "bytes=-0", "bytes=99999-100000"])
def test_a_range_behind_the_end_is_refused(client: Client, asked: str) -> None:
    status, headers, _ = client.ask(client.ticket(), Range=asked)
    assert (status, headers["Content-Range"]) == (416, "bytes */2048")


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=-", "lines=1-2", "bytes=9-1", "bytes=a-b", "x"]
)
def test_what_is_no_single_range_gets_the_whole(client: Client, asked: str) -> None:
    status, _, body = client.ask(client.ticket(), Range=asked)
    assert (status, body) == (200, CONTENT)


def test_a_range_of_another_content_gets_the_whole(client: Client) -> None:
    status, _, _ = client.ask(client.ticket(), Range="bytes=0-1", If_Range='"other"')
    assert status == 200
    status, _, _ = client.ask(client.ticket(), Range="bytes=0-1", If_Range=f'"{DIGEST}"')
    assert status == 206


def test_without_a_good_ticket_there_is_nothing(client: Client) -> None:
    good = client.ticket()
    packed, mac = good.split(".")
    tickets = [
        "",
        "nonsense",
        f"{packed}.{'0' * 64}",
        f"{packed[:-4]}AAAA.{mac}",
        client.ticket(secret="another"),
        client.ticket(seconds=-5),
        client.ticket(seconds=3600),
        client.ticket("pause", "1.1", "supervisor"),
        client.ticket("recording", PATH),
        client.ticket("recording", PATH, "many", DIGEST),
        "A" * 5000,
    ]
    for ticket in tickets:
        assert client.ask(ticket)[0] == 403, ticket
    assert client.ask(good, path="/")[0] == 404
    assert client.ask(good, path="/pause")[0] == 403


def test_no_other_file_and_no_link_is_served(module: ModuleType, client: Client) -> None:
    root = Path(module.ucontact_plain.ucontact_recordings.ROOT.decode())
    outside = root.parent / "secret.gsm"
    outside.write_bytes(CONTENT)
    (root / "link.gsm").symlink_to(outside)
    (root / "folder").symlink_to(root / PATH.rpartition("/")[0])
    name = PATH.rpartition("/")[2]
    size = str(len(CONTENT))
    for path in (
        "../secret.gsm",
        "2026/../../secret.gsm",
        str(outside),
        f"./{PATH}",
        f"2026//{PATH[5:]}",
        "link.gsm",
        f"folder/{name}",
        "2026/11",
        "missing.gsm",
        f"{PATH}/",
        f"{PATH}\0",
        "",
    ):
        status, _, body = client.ask(client.ticket("recording", path, size, DIGEST))
        assert status == 404, path
        assert b"no such recording" in body


def test_what_has_another_size_than_indexed_is_not_served(client: Client) -> None:
    for size in ("2047", "2049", "0"):
        assert client.ask(client.ticket("recording", PATH, size, DIGEST))[0] == 404


def test_a_pause_needs_its_own_ticket(
    client: Client, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str, str]] = []
    pausing = module.ucontact_pause
    monkeypatch.setattr(pausing, "open_session", lambda: None)
    monkeypatch.setattr(pausing, "pause", lambda _, call, who: done.append(("pause", call, who)))

    def no_recording(_: object, call: str, who: str) -> None:
        raise module.TroubleError(f"the call {call} of {who} has no recording")

    monkeypatch.setattr(pausing, "resume", no_recording)
    ticket = client.ticket("pause", "1.1", "supervisor")
    assert client.ask(ticket, path="/pause")[0] == 200
    assert client.ask(ticket, path="/resume")[0] == 403
    assert client.ask(client.ticket("resume", "1.1", "agent"), path="/resume")[0] == 409
    assert client.ask(client.ticket("pause", "1.1; id", "agent"), path="/pause")[0] == 403
    assert done == [("pause", "1.1", "supervisor")]


def test_a_silent_client_and_one_without_tls_keep_nobody_out(client: Client) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", client.port, timeout=5)
    plain.connect()
    assert client.ask(client.ticket())[0] == 200
    plain.sock.sendall(b"GET /recording HTTP/1.1\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert not plain.sock.recv(1024).startswith(b"HTTP")
    plain.close()


@pytest.fixture
def encrypted(module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recording, encrypted for the service's key; only this file."""
    made = tmp_path / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    words += ["-nodes", "-keyout", str(made), "-out", str(tmp_path / "c.pem"), "-subj", "/CN=r"]
    subprocess.run(words, check=True, capture_output=True)
    plain = tmp_path / "monitor" / PATH
    words = ["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-aes-256-cbc"]
    words += ["-recip", str(tmp_path / "c.pem"), "-in", str(plain), "-out", f"{plain}.p7m"]
    subprocess.run(words, check=True, capture_output=True)
    plain.unlink()
    monkeypatch.setattr(module.ucontact_plain, "DECRYPTION_KEY", str(made))
    monkeypatch.setattr(module.ucontact_plain, "MEMORY", str(tmp_path))
    return plain.with_name(f"{plain.name}.p7m")


def whole(client: Client, digest: str = "") -> str:
    """A ticket for the recording as it was indexed."""
    found = digest or hashlib.sha256(CONTENT).hexdigest()
    return client.ticket("recording", PATH, str(len(CONTENT)), found)


def test_an_encrypted_recording_is_served_plain_with_ranges(
    client: Client, encrypted: Path
) -> None:
    assert client.ask(whole(client))[2] == CONTENT
    status, headers, body = client.ask(whole(client), Range="bytes=10-19")
    assert (status, body) == (206, CONTENT[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(CONTENT)}"
    left = sorted(one.name for one in encrypted.parents[3].parent.iterdir())
    assert left == ["c.pem", "internal.key", "internal.pem", "key.pem", "monitor"]


def test_an_encrypted_recording_that_differs_from_the_index_is_missing(
    client: Client, encrypted: Path
) -> None:
    assert client.ask(whole(client, "cd" * 32))[0] == 404
    encrypted.write_bytes(encrypted.read_bytes()[:-40] + bytes(40))
    assert client.ask(whole(client))[0] in (404, 503)


def test_without_its_key_it_is_not_missing(
    client: Client, encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.module.ucontact_plain, "DECRYPTION_KEY", "/nonexistent")
    assert client.ask(whole(client))[0] == 503
    monkeypatch.setattr(client.module.ucontact_plain, "OPENSSL", "/nonexistent")
    assert client.ask(whole(client))[0] == 503


def test_a_plain_file_that_is_being_overwritten_is_not_served(
    client: Client, encrypted: Path
) -> None:
    """The encryptor has renamed the encrypted file before, so that one is served."""
    plain = encrypted.with_name(encrypted.name[: -len(".p7m")])
    plain.write_bytes(bytes(len(CONTENT)))
    assert client.ask(whole(client))[2] == CONTENT
    with plain.open("r+b") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        encrypted.unlink()
        assert client.ask(whole(client))[0] == 404


def test_agents_need_their_own_tickets(
    client: Client, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[object, ...]] = []
    working = module.ucontact_agents
    client.server.agents = working.Agents({"6001": []}, ["lunch"])
    monkeypatch.setattr(module.ucontact_pause, "open_session", lambda: None)
    monkeypatch.setattr(working, "state", lambda *given: {"agent": given[2]})
    monkeypatch.setattr(working, "login", lambda *given: done.append(given[2:]))
    ticket = client.ticket("agent-login", "6001", "supervisor", "")
    status, _, body = client.ask(ticket, path="/agent-login")
    assert (status, json.loads(body)) == (200, {"agent": "6001"})
    assert client.ask(ticket, path="/agent-logout")[0] == 403
    assert client.ask(ticket, path="/agent-nothing")[0] == 404
    unknown = client.ticket("agent-login", "6099", "supervisor", "")
    assert client.ask(unknown, path="/agent-login")[0] == 404
    forged = client.ticket("agent-login", "6001", "a b", "")
    assert client.ask(forged, path="/agent-login")[0] == 403
    other = client.ticket("agent-pause", "6001", "supervisor", "holidays")
    assert client.ask(other, path="/agent-pause")[0] == 400
    assert done == [("6001",)]

    def refused(*_: object) -> None:
        raise module.TroubleError("the agent is logged in to no queue")

    monkeypatch.setattr(working, "unpause", refused)
    status, _, body = client.ask(
        client.ticket("agent-unpause", "6001", "supervisor", ""), path="/agent-unpause"
    )
    assert (status, json.loads(body)) == (409, {"error": "the agent is logged in to no queue"})


# A decoder that is not libgsm's: each frame of 33 bytes becomes 160 samples of its second byte.
_UNTOAST = """#!/usr/bin/env python3
import sys
while len(frame := sys.stdin.buffer.read(33)) == 33:
    sys.stdout.buffer.write(bytes([frame[1], 0]) * 160)
"""


@pytest.fixture
def untoast(module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "untoast"
    file.write_text(_UNTOAST, encoding="utf-8")
    file.chmod(0o755)
    monkeypatch.setattr(module.ucontact_wav, "UNTOAST", ("/usr/bin/nice", str(file), "-l"))
    return file


def as_wav(client: Client, path: str = PATH) -> str:
    return client.ticket("wav", path, str(len(CONTENT)), DIGEST)


def test_a_recording_as_wav(client: Client, untoast: Path) -> None:
    status, headers, body = client.ask(as_wav(client), path="/wav")
    assert (status, headers["Content-Type"]) == (200, "audio/wav")
    assert headers["ETag"] == f'"{DIGEST}-wav"'
    assert headers["Content-Disposition"].endswith('11.wav"')
    with wave.open(io.BytesIO(body)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert sound.getnframes() == len(CONTENT) // 33 * 160
    assert int(headers["Content-Length"]) == len(body)
    assert body[44:46] == bytes([CONTENT[1], 0])
    for first, last in ((0, 3), (40, 50), (44, 44), (5000, 9000), (len(body) - 5, len(body) - 1)):
        status, headers, part = client.ask(
            as_wav(client), path="/wav", Range=f"bytes={first}-{last}"
        )
        assert (status, part) == (206, body[first : last + 1])
        assert headers["Content-Range"] == f"bytes {first}-{last}/{len(body)}"
    assert client.ask(as_wav(client), path="/wav", Range=f"bytes={len(body)}-")[0] == 416
    status, headers, head = client.ask(as_wav(client), "HEAD", path="/wav")
    assert (status, headers["Content-Length"], head) == (200, str(len(body)), b"")


def test_what_can_not_be_had_as_wav(client: Client, untoast: Path, tmp_path: Path) -> None:
    assert client.ask(client.ticket(), path="/wav")[0] == 403  # a ticket for the file itself
    video = PATH.replace(".gsm", ".webm")
    (tmp_path / "monitor" / video).write_bytes(CONTENT)
    assert client.ask(as_wav(client, video), path="/wav")[0] == 406
    untoast.unlink()
    assert client.ask(as_wav(client), path="/wav")[0] == 503
