"""The machine that calls: `tests/bench/sender.py` on it, commanded over ssh."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.load import ALAW, OPUS, encoded, run
from ucontact_appliance.lab.records import Machine, ssh_command

_PROGRAM = Path(__file__).with_name("sender.py")
_THERE = "/root/sender.py"
_PACKETS = 150  # three seconds of speech, over and over


class FarEnd:
    """A running sender. Use `far_end`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, what: str, **words: Any) -> dict[str, Any]:
        """One command's answer. Raises RuntimeError when the sender has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **words}) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line of the sender's."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the sender ended with {self._process.wait(10)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def far_end(source: Machine, target: Machine) -> Iterator[FarEnd]:
    """A sender on `source` that calls `target`; it ends with the block."""
    run(source, f"cat > {_THERE}", _PROGRAM.read_bytes())
    process = subprocess.Popen(
        [*ssh_command(source.address), f"exec python3 {_THERE} {source.address} {target.address}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        voices = {
            voice.name: [packet.hex() for packet in encoded(voice)[:_PACKETS]]
            for voice in (ALAW, OPUS)
        }
        process.stdin.write(json.dumps(voices) + "\n")
        process.stdin.flush()
        made = FarEnd(process)
        made.answer()
        yield made
    finally:
        process.terminate()
        process.wait(10)
