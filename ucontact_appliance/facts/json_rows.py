"""Rows of a table, which MySQL writes as one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import mysql_words
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.language.messages import _

_SECONDS = 60.0
Row = TypeVar("Row")


def read_rows(runner: Runner, query: str, table: str) -> list[str]:
    """Return the lines that the query gives on the database host. Raises UnreachableError."""
    done = runner.run([*mysql_words(query), "--skip-column-names", "--raw"], timeout=_SECONDS)
    if done.status:
        raise UnreachableError(_("{table} can't be read", table=table), evidence=done.evidence)
    return done.stdout.splitlines()


def parse_rows(
    lines: Iterable[str], table: str, parsed: Callable[[dict[str, object]], Row]
) -> tuple[Row, ...]:
    """Parse one JSON object per line. Raises UnreachableError for anything else."""
    try:
        return tuple(parsed(json.loads(line)) for line in lines)
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError(
            _("{table} can't be read", table=table), evidence=str(error)
        ) from error
