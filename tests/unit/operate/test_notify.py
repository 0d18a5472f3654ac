"""Telling somebody: what goes out, what is tried again, and what is never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.operate import notify
from ucontact_appliance.operate.notify import (
    mail_address,
    post,
    public_part,
    send_mail,
    webhook_address,
)

SECRET = "T0pS3cret"


@contextmanager
def listening(*statuses: int) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A web server on the loopback that gives these answers in turn, and what it was told."""
    got: list[tuple[str, bytes]] = []
    answers = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            got.append((self.headers["Content-Type"], self.rfile.read(length)))
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/{SECRET}?key={SECRET}", got
    finally:
        server.shutdown()
        server.server_close()


def test_a_webhook_gets_json() -> None:
    with listening(200) as (url, got):
        post(url, {"text": "häh"})
    assert got[0][0] == "application/json"
    assert json.loads(got[0][1]) == {"text": "häh"}


@pytest.mark.parametrize(("statuses", "tries"), [((503, 204), 2), ((429, 200), 2)])
def test_what_may_pass_is_tried_once_more(statuses: tuple[int, ...], tries: int) -> None:
    pauses: list[float] = []
    with listening(*statuses) as (url, got):
        post(url, {}, pauses.append)
    assert (len(got), len(pauses)) == (tries, 1)


@pytest.mark.parametrize(
    ("statuses", "tries"), [((500, 500), 2), ((404,), 1), ((302,), 1), ((401,), 1)]
)
def test_what_was_not_taken_is_told_without_the_address(
    statuses: tuple[int, ...], tries: int
) -> None:
    with listening(*statuses) as (url, got), pytest.raises(UnreachableError) as caught:
        post(url, {}, lambda seconds: None)
    assert len(got) == tries
    assert str(statuses[0]) in caught.value.evidence
    assert "127.0.0.1" in caught.value.what
    assert SECRET not in caught.value.what + caught.value.evidence + caught.value.helps


def test_nobody_listening_is_told_without_the_address() -> None:
    with listening(200) as (url, _):
        pass
    with pytest.raises(UnreachableError) as caught:
        post(url, {}, lambda seconds: None)
    assert caught.value.evidence == "ConnectError"
    assert SECRET not in str(vars(caught.value))


def test_http_only_when_insisted() -> None:
    url = f"http://chat.example.com/{SECRET}"
    with pytest.raises(UsageError) as caught:
        webhook_address(url)
    assert SECRET not in str(vars(caught.value))
    assert webhook_address(url, allow_http=True) == url
    assert webhook_address(f"https://chat.example.com/{SECRET}")


@pytest.mark.parametrize(
    "url", ["chat.example.com/x", "ftp://chat.example.com/", "https:///x", "https://[x", ""]
)
def test_what_is_no_webhook_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        webhook_address(url, allow_http=True)


def test_of_an_address_only_the_host_is_shown() -> None:
    shown = public_part(f"https://user:{SECRET}@chat.example.com:8443/{SECRET}?a={SECRET}")
    assert shown == "https://chat.example.com:8443/…"


@pytest.mark.parametrize("text", ["-oQ/tmp", "a@b c", "a@b\nBcc: c@d", "a@", "", "a@b,c@d"])
def test_what_is_no_mail_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        mail_address(text)


@pytest.fixture
def sendmail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sendmail that writes down what it is told."""
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\ncat > {tmp_path}/mail\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_a_mail_by_sendmail(sendmail: Path) -> None:
    send_mail("noc@example.com", "uContact acme:\nFAIL", "Größe\n.\nend\n")
    assert (sendmail / "args").read_text() == "-i -- noc@example.com\n"
    mail = (sendmail / "mail").read_text()
    assert "To: noc@example.com\n" in mail
    assert "Subject: uContact acme: FAIL\n" in mail
    assert "Auto-Submitted: auto-generated\n" in mail


def test_a_mail_that_is_not_taken(sendmail: Path) -> None:
    (sendmail / "sendmail").write_text("#!/bin/sh\necho no route >&2\nexit 75\n")
    with pytest.raises(UnreachableError) as caught:
        send_mail("noc@example.com", "s", "t")
    assert caught.value.evidence == "exit status 75 no route"


def test_a_machine_without_sendmail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(notify, "_SENDMAIL_PLACES", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        send_mail("noc@example.com", "s", "t")
    assert "no sendmail" in caught.value.what
