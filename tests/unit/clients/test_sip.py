"""The SIP user agent: pure parts against the RFCs, the line against a server of our own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from ucontact_appliance.clients.sip import SipAccount, SipLine, SipRefusedError
from ucontact_appliance.clients.sip_digest import choose_challenge, digest_answer, parse_challenge
from ucontact_appliance.clients.sip_message import SipMessage, parse_message

# RFC 7616 3.9.1: both answers to the same request.
_CHALLENGE = {
    "realm": "http-auth@example.org",
    "qop": "auth, auth-int",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
}
_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_of_rfc_7616(algorithm: str, response: str) -> None:
    value = digest_answer(
        _CHALLENGE | {"algorithm": algorithm},
        ("Mufasa", "Circle of Life"),
        ("GET", "/dir/index.html"),
        _CNONCE,
    )
    assert f'response="{response}"' in value
    assert "qop=auth" in value
    assert "nc=00000001" in value


def test_digest_without_qop_is_rfc_2069s() -> None:
    value = digest_answer({"realm": "r", "nonce": "n"}, ("u", "p"), ("REGISTER", "sip:x"), "c")
    assert "cnonce" not in value
    assert "qop" not in value


def test_the_first_challenge_that_can_be_answered_is_chosen() -> None:
    asked = (
        'Digest realm="r", nonce="a", algorithm=SHA-512-256',
        'Digest realm="r", nonce="b", algorithm=SHA-256, qop="auth"',
        'Digest realm="r", nonce="c"',
    )
    assert choose_challenge(asked)["nonce"] == "b"
    with pytest.raises(ValueError, match="no digest challenge"):
        choose_challenge(("Basic realm=x",))


def test_challenge_values_may_hold_commas_and_equal_signs() -> None:
    found = parse_challenge('Digest realm="a, b", nonce="1/x=", opaque="", algorithm=md5')
    assert found == {"realm": "a, b", "nonce": "1/x=", "opaque": "", "algorithm": "md5"}


def test_compact_and_folded_headers() -> None:
    text = "SIP/2.0 200 OK\r\nv: one\r\nVia: two\r\nf: <sip:a@b>\r\n ;tag=1\r\nl: 0\r\n\r\n"
    message = parse_message(text)
    assert message.all("via") == ("one", "two")
    assert message.header("from") == "<sip:a@b> ;tag=1"
    assert message.status == 200


def test_length_is_counted_in_bytes() -> None:
    assert "Content-Length: 2\r\n" in SipMessage("MESSAGE sip:a SIP/2.0", (), "é").text()


def test_nonsense_is_no_message() -> None:
    with pytest.raises(ValueError, match="no SIP message"):
        parse_message("GET / HTTP/1.1\r\n\r\n")


def test_the_secret_is_in_no_repr() -> None:
    assert "hunter2" not in repr(SipAccount("example.org", "6001", "hunter2"))


Script = Callable[[SipMessage, int], list[SipMessage]]


def _reply(
    request: SipMessage, status: str, *headers: tuple[str, str], body: str = ""
) -> SipMessage:
    kept = ("via", "from", "to", "call-id", "cseq")
    copied = tuple(pair for pair in request.headers if pair[0] in kept)
    return SipMessage(f"SIP/2.0 {status}", (*copied, *headers), body)


class _Server:
    """A SIP server that follows a script and remembers what it got."""

    def __init__(self, script: Script) -> None:
        self.got: list[SipMessage] = []
        self._script = script

    async def handle(self, socket: ServerConnection) -> None:
        async for frame in socket:
            message = parse_message(str(frame))
            self.got.append(message)
            for answer in self._script(message, len(self.got)):
                await socket.send(answer.text())

    @contextlib.asynccontextmanager
    async def line(self) -> AsyncIterator[SipLine]:
        async with serve(self.handle, "127.0.0.1", 0, subprotocols=[Subprotocol("sip")]) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(
                f"ws://127.0.0.1:{port}", subprotocols=[Subprotocol("sip")], proxy=None
            ) as socket:
                line = SipLine(socket, SipAccount("example.org", "6001", "hunter2"))
                listener = asyncio.create_task(line.listen())
                yield line
                listener.cancel()

    def run(self, act: Callable[[SipLine], Any]) -> Any:
        async def go() -> Any:
            async with self.line() as line:
                return await act(line)

        return asyncio.run(go())


_ASKS = ("www-authenticate", 'Digest realm="asterisk", nonce="n1", algorithm=MD5, qop="auth"')


def test_register_answers_one_challenge() -> None:
    def script(request: SipMessage, count: int) -> list[SipMessage]:
        if not request.header("authorization"):
            return [_reply(request, "401 Unauthorized", _ASKS)]
        return [_reply(request, "200 OK")]

    server = _Server(script)
    answer = server.run(lambda line: line.register())
    first, second = server.got
    assert answer.status == 200
    assert first.header("call-id") == second.header("call-id")
    assert int(second.header("cseq").split()[0]) == int(first.header("cseq").split()[0]) + 1
    assert 'username="6001"' in second.header("authorization")
    assert "hunter2" not in second.text()
    assert ".invalid;transport=ws>;expires=120" in second.header("contact")


def test_asking_who_is_registered_registers_nobody() -> None:
    def script(request: SipMessage, count: int) -> list[SipMessage]:
        if not request.header("authorization"):
            return [_reply(request, "401 Unauthorized", _ASKS)]
        return [_reply(request, "200 OK")]

    server = _Server(script)
    assert server.run(lambda line: line.bindings()).status == 200
    for asked in server.got:
        assert asked.method == "REGISTER"
        assert (asked.header("contact"), asked.header("expires")) == ("", "")


def test_a_second_challenge_is_a_refusal() -> None:
    server = _Server(lambda request, count: [_reply(request, "401 Unauthorized", _ASKS)])
    with pytest.raises(SipRefusedError, match="REGISTER was answered 401 Unauthorized"):
        server.run(lambda line: line.register())
    assert len(server.got) == 2


def test_a_call_is_acknowledged_and_ended_along_its_route() -> None:
    dialog = (("contact", "<sip:echo@192.0.2.1:8089;transport=ws>"), ("record-route", "<sip:a;lr>"))

    def script(request: SipMessage, count: int) -> list[SipMessage]:
        if request.method == "INVITE":
            return [
                _reply(request, "100 Trying"),
                _reply(request, "200 OK", *dialog, body="v=0\r\n"),
            ]
        return [_reply(request, "200 OK")] if request.method == "BYE" else []

    server = _Server(script)

    async def act(line: SipLine) -> str:
        call = await line.call("*43", "v=0\r\n")
        await line.hang_up(call)
        return call.answer

    assert server.run(act) == "v=0\r\n"
    invite, ack, bye = server.got
    assert invite.start == "INVITE sip:*43@example.org SIP/2.0"
    assert ack.start.split()[:2] == ["ACK", "sip:echo@192.0.2.1:8089;transport=ws"]
    assert ack.header("cseq").split()[0] == invite.header("cseq").split()[0]
    assert bye.header("route") == "<sip:a;lr>"
    assert int(bye.header("cseq").split()[0]) > int(invite.header("cseq").split()[0])


def test_a_refused_call_is_acknowledged_in_its_own_transaction() -> None:
    server = _Server(
        lambda request, count: (
            [_reply(request, "404 Not Found")] if request.method == "INVITE" else []
        )
    )

    async def act(line: SipLine) -> None:
        with pytest.raises(SipRefusedError, match="404 Not Found"):
            await line.call("999", "v=0\r\n")
        await asyncio.sleep(0.05)

    server.run(act)
    invite, ack = server.got
    assert ack.method == "ACK"
    assert ack.header("via") == invite.header("via")


def test_a_server_that_says_nothing_is_a_time_out() -> None:
    server = _Server(lambda request, count: [])
    with pytest.raises((TimeoutError, asyncio.TimeoutError)):
        server.run(lambda line: line.call("*43", "v=0\r\n", seconds=0.1))


def test_questions_of_the_server_are_answered() -> None:
    answered: list[SipMessage] = []

    def script(request: SipMessage, count: int) -> list[SipMessage]:
        if request.status:
            answered.append(request)
            return []
        basics = (("via", "v"), ("from", "<sip:s>;tag=1"), ("to", "<sip:c>"), ("call-id", "q"))
        asked = [
            SipMessage("OPTIONS sip:c SIP/2.0", (*basics, ("cseq", "7 OPTIONS"))),
            SipMessage("INVITE sip:c SIP/2.0", (*basics, ("cseq", "8 INVITE"))),
        ]
        return [*asked, _reply(request, "200 OK")]

    server = _Server(script)

    async def act(line: SipLine) -> None:
        await line.register()
        await asyncio.sleep(0.05)

    server.run(act)
    assert [(m.status, m.header("cseq")) for m in answered] == [
        (200, "7 OPTIONS"),
        (486, "8 INVITE"),
    ]
    assert all(";tag=" in m.header("to") for m in answered)
