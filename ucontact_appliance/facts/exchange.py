"""What was said between a probe and its host: the raw material of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timezone

from ucontact_appliance.facts.runner import ANSWER_BYTES, Completed, Runner


@dataclass(frozen=True)
class Exchange:
    """One command on the host, and what came back.

    `began` is an aware time, UTC; `status` is None where no answer came, and `stderr` says why.
    """

    argv: tuple[str, ...]
    status: int | None
    stdout: str
    stderr: str
    began: datetime
    seconds: float


class RecordingRunner:
    """Another runner, with every command that goes through it kept in `exchanges`."""

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
        """Run it there, and keep what came of it."""
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
        """The other runner's command line: a stream is its reader's own to keep."""
        return self._runner.command(argv)

    def forward(self, port: int) -> AbstractContextManager[int]:
        """The other runner's tunnel."""
        return self._runner.forward(port)
