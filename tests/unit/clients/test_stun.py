from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aioice import stun

from ucontact_appliance.clients.stun import Server, allocation, binding, time_limited
from ucontact_appliance.errors import UnreachableError


class FakeServer(asyncio.DatagramProtocol):
    """Answers bindings, and refuses every relay with 401."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        good = asked.message_method == stun.Method.BINDING
        answer = stun.Message(
            asked.message_method,
            stun.Class.RESPONSE if good else stun.Class.ERROR,
            transaction_id=asked.transaction_id,
        )
        if good:
            answer.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.5", addr[1])
        else:
            answer.attributes["ERROR-CODE"] = (401, "Unauthorized")
        self.transport.sendto(bytes(answer), addr)


@pytest.fixture
def server() -> Iterator[Server]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    started = asyncio.run_coroutine_threadsafe(
        loop.create_datagram_endpoint(FakeServer, local_addr=("127.0.0.1", 0)), loop
    )
    transport, _ = started.result(5)
    yield Server("127.0.0.1", transport.get_extra_info("sockname")[1])
    loop.call_soon_threadsafe(transport.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_binding_tells_both_addresses(server: Server) -> None:
    found = binding(server)
    assert found.mapped == "203.0.113.5"
    assert found.local == "127.0.0.1"


def test_refusal_is_an_answer(server: Server) -> None:
    assert allocation(server, None).error == 401


def test_silence_is_a_timeout(server: Server) -> None:
    with pytest.raises((TimeoutError, UnreachableError)):
        binding(Server("127.0.0.1", 9), seconds=0.3)


def test_time_limited_credentials() -> None:
    made = time_limited("a secret", "doctor", now=1000.9)
    assert made.user == "1300:doctor"
    expected = hmac.new(b"a secret", b"1300:doctor", hashlib.sha1).digest()
    assert base64.b64decode(made.password) == expected
    assert made.password not in repr(made)
