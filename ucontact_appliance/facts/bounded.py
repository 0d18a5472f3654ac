"""Run a command with limits on its time and on the size of its output."""

from __future__ import annotations

import os
import select
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from ucontact_appliance.language.messages import _

_CHUNK = 1 << 16
_STOP = "stop"


class TooMuchError(Exception):
    """The command wrote more output than the limit."""


class StoppedError(Exception):
    """The program is told to end while the command runs."""


def run_bounded(
    command: Sequence[str], *, stdin: bytes, timeout: float, limit: int
) -> tuple[int, str, str]:
    """Return the exit status, stdout and stderr, as text with `\\n` line ends.

    `timeout` is in seconds, `limit` in bytes for both outputs together. The process is killed when
    it exceeds either. Raises TimeoutError, TooMuchError, or OSError when it can't be started.
    """
    deadline = time.monotonic() + timeout
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            pipes = Pipes(process.stdin, process.stdout, process.stderr)
            stdout, stderr = exchange(pipes, stdin, deadline, limit)
            status = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, TimeoutError):
            process.kill()
            raise no_answer(timeout) from None
        except BaseException:
            process.kill()
            raise
    return status, as_text(stdout), as_text(stderr)


@dataclass(frozen=True)
class Pipes:
    """Our ends of a command's stdin, stdout and stderr, unbuffered."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]


def exchange(
    pipes: Pipes, data: bytes, deadline: float, limit: int, stop: int | None = None
) -> tuple[bytearray, bytearray]:
    """Write the data to stdin and close it; return stdout and stderr, read to their ends.

    Raises TimeoutError at the deadline (time.monotonic()), TooMuchError above `limit` bytes,
    StoppedError if the descriptor `stop` becomes readable meanwhile. If it is readable already,
    this command belongs to what is cleaned up at the end, and runs.
    """
    stdout, stderr = bytearray(), bytearray()
    unsent = memoryview(data)
    os.set_blocking(pipes.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipes.stdin, selectors.EVENT_WRITE)
        selector.register(pipes.stdout, selectors.EVENT_READ, stdout)
        selector.register(pipes.stderr, selectors.EVENT_READ, stderr)
        if stop is not None and not select.select([stop], [], [], 0)[0]:
            selector.register(stop, selectors.EVENT_READ, _STOP)
        while any(key.data is not _STOP for key in selector.get_map().values()):
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.data is None:
                    unsent = unsent[_written(key.fd, unsent[:_CHUNK]) :]
                    if not unsent:
                        selector.unregister(pipes.stdin)
                        pipes.stdin.close()
                elif key.data is _STOP:
                    raise StoppedError
                elif chunk := os.read(key.fd, _CHUNK):
                    key.data.extend(chunk)
                    if len(stdout) + len(stderr) > limit:
                        raise TooMuchError
                else:
                    selector.unregister(key.fileobj)
    return stdout, stderr


def no_answer(timeout: float) -> TimeoutError:
    """Return the error of a command that has not ended in time."""
    return TimeoutError(_("no answer within {timeout:g} s", timeout=timeout))


def _written(descriptor: int, data: memoryview) -> int:
    """Return the number of bytes written; all of them when the reader has closed the pipe."""
    try:
        return os.write(descriptor, data) if data else 0
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)


def as_text(data: bytearray) -> str:
    """Decode a command's output, with `\\n` line ends."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
