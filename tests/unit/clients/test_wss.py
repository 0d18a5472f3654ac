import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tests.unit.clients.servers import NAME, Identity, identity, server_context
from ucontact_appliance.clients.tls import Endpoint
from ucontact_appliance.clients.wss import upgrade
from ucontact_appliance.errors import UnreachableError


@contextmanager
def signalling(made: Identity, subprotocol: str | None = "sip") -> Iterator[Endpoint]:
    def only_ws(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/ws":
            return None
        return connection.respond(HTTPStatus.NOT_FOUND, "no")

    with serve(
        lambda connection: None,
        "127.0.0.1",
        0,
        ssl=server_context(made),
        subprotocols=[subprotocol] if subprotocol else None,  # type: ignore[list-item]
        process_request=only_ws,
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Endpoint("127.0.0.1", server.socket.getsockname()[1], NAME)
        server.shutdown()
        thread.join(3)


def test_it_opens_with_the_subprotocol_sip(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with signalling(made) as endpoint:
        found = upgrade(endpoint, "/ws", made.certificate)
    assert (found.status, found.subprotocol) == (101, "sip")
    assert found.evidence.endswith("HTTP 101, subprotocol sip")


def test_a_server_that_does_not_speak_sip(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with signalling(made, None) as endpoint:
        assert upgrade(endpoint, "/ws", made.certificate).subprotocol == ""
        assert upgrade(endpoint, "/other", made.certificate).status == 404


def test_a_certificate_that_is_not_trusted_or_of_another_name(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with signalling(made) as endpoint:
        with pytest.raises(UnreachableError):
            upgrade(endpoint, "/ws", None)
        with pytest.raises(UnreachableError):
            upgrade(
                Endpoint(endpoint.address, endpoint.port, "other.example.com"),
                "/ws",
                made.certificate,
            )


def test_nobody_there(tmp_path: Path) -> None:
    made = identity(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError):
        upgrade(Endpoint("127.0.0.1", port, NAME), "/ws", made.certificate)
