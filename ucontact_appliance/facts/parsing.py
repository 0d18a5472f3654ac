"""A host's answer may be anybody's words: what a parser can't make sense of is told, not raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Completed

_MOST_SHOWN = 1000
# What parsers of text and of JSON raise when something is missing, odd or of another type.
_SURPRISES = (LookupError, TypeError, ValueError, AttributeError)


@contextmanager
def parsing(done: Completed, what: str, helps: str = "") -> Iterator[None]:
    """Turn a parser's surprise at that answer into UnreachableError: `what`, with the exchange."""
    try:
        yield
    except _SURPRISES as error:
        said = done.evidence[-_MOST_SHOWN:]
        raise UnreachableError(what, evidence=f"{said}\n({error})", helps=helps) from error
