"""Pausing recordings over the manager interface: what is sent, logged and refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.services import telephony_service

CALL, OTHER = "1795905243.11", "1795905243.99"
CALLER, AGENT, STRANGER = "PJSIP/trunk-carrier-00000001", "PJSIP/6001-00000004", "PJSIP/6002-9"
VIDEO = "PJSIP/ucontact-video-vp8-00000002"
SECRET = "S3cretOfTheAccount"
BANNER = b"Asterisk Call Manager/9.0.0\r\n"


@dataclass
class FakeAsterisk:
    """The other end of the session: it knows channels, and which of them are recorded."""

    end: socket.socket
    calls: dict[str, str]
    recorded: set[str]
    silent: set[str] = field(default_factory=set)
    variables: dict[tuple[str, str], str] = field(default_factory=dict)
    log: list[dict[str, str]] = field(default_factory=list)
    answer_with: str = ""

    def serve(self) -> None:
        """Answer until the session ends."""
        self.end.sendall(BANNER)
        action: dict[str, str] = {}
        for line in self.end.makefile("r", encoding="utf-8", newline="\r\n"):
            text = line.rstrip("\r\n")
            if text:
                name, _, value = text.partition(": ")
                action[name] = value
                continue
            self._answer(action)
            action = {}

    def _answer(self, action: dict[str, str]) -> None:
        done = {"Response": "Success"}
        channel = action.get("Channel", "")
        if action["Action"] == "Login" and action["Secret"] != SECRET:
            done = {"Response": "Error", "Message": "Authentication failed"}
        elif action["Action"] == "CoreShowChannels":
            self._send(action, done | {"EventList": "start"})
            for name, call in self.calls.items():
                self._send(action, {"Event": "CoreShowChannel", "Channel": name, "Linkedid": call})
            done = {"Event": "CoreShowChannelsComplete", "EventList": "Complete"}
        elif action["Action"] == "MixMonitorMute":
            if self.answer_with:
                done = {"Response": "Error", "Message": self.answer_with}
            elif channel not in self.recorded:
                done = {"Response": "Error", "Message": "Cannot set mute flag"}
            else:
                change = self.silent.add if action["State"] == "1" else self.silent.discard
                change(channel)
        elif action["Action"] == "Setvar":
            self.variables[channel, action["Variable"]] = action.get("Value", "")
        elif action["Action"] == "Getvar":
            done["Value"] = self.variables.get((channel, action["Variable"]), "")
        elif action["Action"] == "QueueLog":
            self.log.append(action)
        self._send(action, done)

    def _send(self, action: dict[str, str], block: dict[str, str]) -> None:
        rows = block | {"ActionID": action["ActionID"]}
        text = "".join(f"{name}: {value}\r\n" for name, value in rows.items())
        # An event of its own comes between, as Asterisk may send one at any time.
        self.end.sendall(f"Event: Other\r\nPrivilege: x\r\n\r\n{text}\r\n".encode())


@pytest.fixture
def module() -> ModuleType:
    return telephony_service("ucontact_pause")


@pytest.fixture
def asterisk() -> Iterator[tuple[FakeAsterisk, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    fake = FakeAsterisk(
        theirs, {CALLER: CALL, AGENT: CALL, STRANGER: OTHER}, recorded={CALLER, STRANGER}
    )
    thread = threading.Thread(target=fake.serve, daemon=True)
    thread.start()
    yield fake, ours
    ours.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    ours.close()
    theirs.close()
    assert not thread.is_alive()


def session(module: ModuleType, connection: socket.socket) -> object:
    manager = module.Manager(connection)
    manager.login(SECRET)
    return manager


def test_a_pause_silences_the_call_alone_and_is_logged_once(
    module: ModuleType, asterisk: tuple[FakeAsterisk, socket.socket]
) -> None:
    fake, connection = asterisk
    manager = session(module, connection)
    module.pause(manager, CALL, "6001", now=lambda: 1000.7)
    module.pause(manager, CALL, "6001", now=lambda: 1005.0)
    assert fake.silent == {CALLER}
    (row,) = fake.log
    assert (row["Event"], row["Uniqueid"], row["Interface"]) == ("RECORDPAUSE", CALL, "6001")
    assert fake.variables[CALLER, "recording_paused"] == "1000"
    assert fake.variables[CALLER, "CHANNEL(hangup_handler_push)"] == "recording-paused,s,1"


def test_recording_again_says_how_long_it_was_silent(
    module: ModuleType, asterisk: tuple[FakeAsterisk, socket.socket]
) -> None:
    fake, connection = asterisk
    manager = session(module, connection)
    module.pause(manager, CALL, "6001", now=lambda: 1000.0)
    module.resume(manager, CALL, "6002", now=lambda: 1042.0)
    module.resume(manager, CALL, "6002", now=lambda: 1050.0)
    assert fake.silent == set()
    row = fake.log[-1]
    assert len(fake.log) == 2
    assert (row["Event"], row["Interface"], row["Message"]) == ("RECORDRESUME", "6002", "42|code")
    assert fake.variables[CALLER, "recording_paused"] == ""


def test_two_recordings_of_a_call_are_silenced_both(
    module: ModuleType, asterisk: tuple[FakeAsterisk, socket.socket]
) -> None:
    fake, connection = asterisk
    fake.recorded.add(AGENT)
    module.pause(session(module, connection), CALL, "6001")
    assert fake.silent == {CALLER, AGENT}
    assert [row["Message"] for row in fake.log] == ["2"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recorded": set()}, "has no recording"),
        ({"calls": {}}, "has no recording"),
        ({"answer_with": "Permission denied"}, "Permission denied"),
        ({"calls": {CALLER: CALL, VIDEO: CALL}}, "with video, which can't be paused"),
    ],
)
def test_what_was_not_silenced_is_an_error(
    module: ModuleType,
    asterisk: tuple[FakeAsterisk, socket.socket],
    change: dict[str, object],
    told: str,
) -> None:
    fake, connection = asterisk
    for name, value in change.items():
        setattr(fake, name, value)
    with pytest.raises(module.TroubleError, match=told):
        module.pause(session(module, connection), CALL, "6001")
    assert fake.log == []
    assert fake.silent == set()


def test_a_wrong_secret_is_an_error_that_does_not_show_it(
    module: ModuleType, asterisk: tuple[FakeAsterisk, socket.socket]
) -> None:
    with pytest.raises(module.TroubleError, match="Authentication failed") as caught:
        module.Manager(asterisk[1]).login("wrong-secret")
    assert "wrong-secret" not in str(caught.value)


def test_a_value_of_two_lines_is_never_sent(
    module: ModuleType, asterisk: tuple[FakeAsterisk, socket.socket]
) -> None:
    manager = session(module, asterisk[1])
    with pytest.raises(module.TroubleError, match="more than one line"):
        module.pause(manager, CALL, "6001\r\nAction: Originate")
    assert asterisk[0].log == []


def test_port_and_secret_are_those_of_the_configuration(module: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "manager.conf"
    file.write_text(
        "; a comment\n[general]\nport = 5039\npermit = 1\npermit = 2\n"
        "[ucontact]\nsecret = other\n[recording]\nsecret = a\\;b\n"
    )
    assert module.account(str(file)) == (5039, "a;b")
    file.write_text("[general]\nport = 5039\n")
    with pytest.raises(module.TroubleError):
        module.account(str(file))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["pause"],
        ["pause", CALL],
        ["stop", CALL, "6001"],
        ["pause", "1.2; id", "6001"],
        ["pause", CALL, ""],
        ["pause", CALL, "a b"],
    ],
)
def test_wrong_words_are_refused_before_anything_is_done(words: list[str]) -> None:
    assert telephony_service("recording-pause").main(words) == 2
