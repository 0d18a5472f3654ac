"""Run a command with limits on its time and on the size of its output."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Sequence

from ucontact_appliance.language.messages import _

_CHUNK = 1 << 16


class TooMuchError(Exception):
    """The command wrote more output than the limit."""


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
        try:
            stdout, stderr = _exchange(process, stdin, deadline, limit)
            status = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            raise TimeoutError(_("no answer within {timeout:g} s", timeout=timeout)) from None
        except BaseException:
            process.kill()
            raise
    return status, _text(stdout), _text(stderr)


def _exchange(
    process: subprocess.Popen[bytes], stdin: bytes, deadline: float, limit: int
) -> tuple[bytearray, bytearray]:
    """Write `stdin`, and read stdout and stderr to their end."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    stdout, stderr = bytearray(), bytearray()
    unsent = memoryview(stdin)
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ, stdout)
        selector.register(process.stderr, selectors.EVENT_READ, stderr)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in ready:
                if key.data is None:
                    unsent = unsent[_written(key.fd, unsent[:_CHUNK]) :]
                    if not unsent:
                        selector.unregister(key.fileobj)
                        process.stdin.close()
                elif chunk := os.read(key.fd, _CHUNK):
                    key.data.extend(chunk)
                    if len(stdout) + len(stderr) > limit:
                        raise TooMuchError
                else:
                    selector.unregister(key.fileobj)
    return stdout, stderr


def _written(descriptor: int, data: memoryview) -> int:
    """Return the number of bytes written; all of them when the reader has closed the pipe."""
    try:
        return os.write(descriptor, data) if data else 0
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
