"""Commands over the control socket of a shared connection, with a master of the tests' own."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ucontact_appliance.facts.bounded import StoppedError, TooMuchError
from ucontact_appliance.facts.multiplexed import (
    NoSessionError,
    SharedConnection,
    run_multiplexed,
)

_HELLO, _NEW_SESSION = 1, 0x10000002
_FAILURE, _EXIT, _OPENED = 0x80000003, 0x80000004, 0x80000006

Answer = Callable[[socket.socket, list[str], list[int]], None]


def read(client: socket.socket) -> bytes:
    size = int.from_bytes(client.recv(4, socket.MSG_WAITALL), "big")
    return client.recv(size, socket.MSG_WAITALL)


def send(client: socket.socket, *numbers: int) -> None:
    body = struct.pack(f">{len(numbers)}I", *numbers)
    client.sendall(struct.pack(">I", len(body)) + body)


def strings(data: bytes) -> Iterator[str]:
    while data:
        size = int.from_bytes(data[:4], "big")
        yield data[4 : 4 + size].decode()
        data = data[4 + size :]


def opens(client: socket.socket, texts: list[str], ends: list[int]) -> None:
    """Run the command as sshd would, and tell how it ended."""
    send(client, _OPENED, 1, 0)
    stdin, stdout, stderr = ends
    words = ["sh", "-c", texts[1]]
    done = subprocess.run(words, stdin=stdin, stdout=stdout, stderr=stderr, check=False)
    close(ends)
    send(client, _EXIT, 0, done.returncode)


def close(ends: list[int]) -> None:
    for end in ends:
        os.close(end)


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`master(answer, version=4)` is the socket of a master that answers one request."""
    threads: list[threading.Thread] = []

    def begin(answer: Answer, version: int = 4) -> Path:
        path = tmp_path / "control"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with listening, listening.accept()[0] as client:
                send(client, _HELLO, version)
                assert read(client) == struct.pack(">II", _HELLO, 4)
                if version != 4:
                    return
                asked = read(client)
                kind, request = struct.unpack(">II", asked[:8])
                assert (kind, request) == (_NEW_SESSION, 1)
                flags = struct.unpack(">5I", asked[12:32])
                assert flags == (0, 0, 0, 0, 0xFFFFFFFF)
                ends = [socket.recv_fds(client, 1, 1)[1][0] for _ in range(3)]
                answer(client, list(strings(asked[32:])), ends)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return path

    yield begin
    for thread in threads:
        thread.join()


def run(
    path: Path, command: str, *, stop: int | None = None, **changes: int
) -> tuple[int, str, str]:
    limits = {"timeout": 20, "limit": 1 << 20} | changes
    return run_multiplexed(SharedConnection(path, stop), command, stdin=b"sent", **limits)


def test_status_and_outputs_are_the_commands(master: Callable[..., Path]) -> None:
    path = master(opens)
    assert run(path, "cat; printf 'said\\r\\n' >&2; exit 7") == (7, "sent", "said\n")


def test_of_the_environment_only_the_language_is_sent(
    master: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def answer(client: socket.socket, texts: list[str], ends: list[int]) -> None:
        seen.extend(texts[2:])
        opens(client, texts, ends)

    monkeypatch.setattr(os, "environ", {"LANG": "es_UY.UTF-8", "LC_TIME": "C", "SECRET": "x"})
    assert run(master(answer), "true")[0] == 0
    assert seen == ["LANG=es_UY.UTF-8", "LC_TIME=C"]


def test_a_refused_session_has_run_nothing(master: Callable[..., Path]) -> None:
    def refuses(client: socket.socket, _texts: list[str], ends: list[int]) -> None:
        close(ends)
        send(client, _FAILURE, 1, 0)

    with pytest.raises(NoSessionError):
        run(master(refuses), "true")


def test_another_version_of_the_protocol_is_not_used(master: Callable[..., Path]) -> None:
    with pytest.raises(NoSessionError):
        run(master(opens, version=5), "true")


def test_where_nobody_listens_there_is_no_session(tmp_path: Path) -> None:
    with pytest.raises(NoSessionError):
        run(tmp_path / "control", "true")
    (tmp_path / "control").touch()
    with pytest.raises(NoSessionError):
        run(tmp_path / "control", "true")


def test_a_connection_that_is_lost_ends_as_with_ssh(master: Callable[..., Path]) -> None:
    def loses(client: socket.socket, _texts: list[str], ends: list[int]) -> None:
        send(client, _OPENED, 1, 0)
        os.write(ends[1], b"half")
        close(ends)

    assert run(master(loses), "true") == (255, "half", "The shared connection was closed.")


def waits(client: socket.socket, _texts: list[str], ends: list[int]) -> None:
    send(client, _OPENED, 1, 0)
    client.recv(1)  # until the session is closed
    close(ends)


def test_a_command_without_an_end_is_left(master: Callable[..., Path]) -> None:
    with pytest.raises(TimeoutError, match="no answer within 1 s"):
        run(master(waits), "true", timeout=1)


def test_too_much_output_ends_it(master: Callable[..., Path]) -> None:
    def talks(client: socket.socket, _texts: list[str], ends: list[int]) -> None:
        send(client, _OPENED, 1, 0)
        os.write(ends[2], b"x" * 2000)
        client.recv(1)
        close(ends)

    with pytest.raises(TooMuchError):
        run(master(talks), "true", limit=1000)


def test_a_command_ends_when_the_program_is_to_stop(master: Callable[..., Path]) -> None:
    reading, writing = os.pipe()

    def stops(client: socket.socket, _texts: list[str], ends: list[int]) -> None:
        send(client, _OPENED, 1, 0)
        assert os.read(ends[0], 4) == b"sent"  # the command is at work
        os.write(writing, b"\2")
        client.recv(1)  # until the session is closed
        close(ends)

    with pytest.raises(StoppedError):
        run(master(stops), "true", stop=reading)
    close([reading, writing])


def test_a_command_that_cleans_up_afterwards_runs(master: Callable[..., Path]) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\2")
    assert run(master(opens), "cat", stop=reading) == (0, "sent", "")
    close([reading, writing])
