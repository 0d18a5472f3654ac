"""The commands that probes ran on a host and their answers: the raw material of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timezone

from ucontact_appliance.facts.runner import ANSWER_BYTES, Completed, Runner


@dataclass(frozen=True)
class Exchange:
    """One command on the host, and its answer.

    `began` is an aware datetime in UTC; `status` is None if no answer came, and `stderr` says why.
    """

    argv: tuple[str, ...]
    status: int | None
    stdout: str
    stderr: str
    began: datetime
    seconds: float


class RecordingRunner:
    """A wrapper of another runner that appends every command and its answer to `exchanges`."""

    def __init__(self, runner: Runner, exchanges: list[Exchange]) -> None:
        self._runner = runner
        self._exchanges = exchanges

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = ANSWER_BYTES,
    ) -> Completed:
        """Run the command by the other runner, and record the result."""
        began = datetime.now(timezone.utc)
        try:
            done = self._runner.run(argv, timeout=timeout, stdin=stdin, limit=limit)
        except Exception as error:
            seconds = (datetime.now(timezone.utc) - began).total_seconds()
            self._exchanges.append(Exchange(tuple(argv), None, "", str(error), began, seconds))
            raise
        self._exchanges.append(
            Exchange(tuple(argv), done.status, done.stdout, done.stderr, began, done.seconds)
        )
        return done

    def command(self, argv: Sequence[str]) -> list[str]:
        """The other runner's command line; streams are not recorded, their reader keeps them."""
        return self._runner.command(argv)

    def forward(self, port: int) -> AbstractContextManager[int]:
        """The other runner's tunnel."""
        return self._runner.forward(port)
