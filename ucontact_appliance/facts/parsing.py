"""Convert errors of parsing a host's answer, which is untrusted, into UnreachableError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Completed

_MOST_SHOWN = 1000
# Exceptions that parsers of text and JSON raise when something is missing, odd or mistyped.
_SURPRISES = (LookupError, TypeError, ValueError, AttributeError)


@contextmanager
def parsing(done: Completed, what: str, helps: str = "") -> Iterator[None]:
    """Turn a parser's exception into UnreachableError with the message `what` and the exchange."""
    try:
        yield
    except _SURPRISES as error:
        said = done.evidence[-_MOST_SHOWN:]
        raise UnreachableError(what, evidence=f"{said}\n({error})", helps=helps) from error
