import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ucontact_appliance.clients import http
from ucontact_appliance.clients.http import HttpRequest, Response, fetch
from ucontact_appliance.errors import UnreachableError

NAME = "contact.example.com"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            threading.Event().wait(1)
        self.send_response(301 if self.path == "/moved" else 200)
        self.send_header("X-Host", self.headers["Host"])
        self.send_header("X-Twice", "1")
        self.send_header("X-Twice", "2")
        self.send_header("Set-Cookie", "token=secret")
        self.send_header("Location", "https://elsewhere.example/")
        self.end_headers()
        self.wfile.write(b"x" * 10_000)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_whole_answer_is_kept_and_redirects_are_not_followed(port: int) -> None:
    found = fetch(HttpRequest("127.0.0.1", NAME, "/moved", "http", port=port))
    assert (found.status, found.protocol) == (301, "HTTP/1.0")
    assert found.all("x-host") == (NAME,)
    assert found.all("X-TWICE") == ("1", "2")
    assert len(found.body) == http._BODY_CHARS


def test_a_form_is_posted(port: int) -> None:
    form = (("user", "a b"), ("password", "c"))
    found = fetch(HttpRequest("127.0.0.1", NAME, "/", "http", "POST", form, port))
    assert (found.status, found.body) == (401, "user=a+b&password=c")


def test_an_answer_that_takes_too_long(port: int) -> None:
    with pytest.raises(TimeoutError):
        fetch(HttpRequest("127.0.0.1", NAME, "/slow", "http", port=port), seconds=0.2)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    with pytest.raises(UnreachableError) as error:
        fetch(HttpRequest("127.0.0.1", NAME, "/", "http", port=free))
    assert error.value.helps.startswith("curl ")


def test_evidence_can_be_asked_again_and_shows_no_cookie() -> None:
    request = HttpRequest("192.0.2.1", NAME, "/a?b=c", method="POST")
    found = Response(request, 405, "HTTP/2", (("server", "nginx"), ("Set-Cookie", "s=1")), "")
    assert found.evidence == (
        "$ curl -isk --resolve contact.example.com:443:192.0.2.1 -X POST "
        "'https://contact.example.com/a?b=c'\nHTTP/2 405\nserver: nginx"
    )
