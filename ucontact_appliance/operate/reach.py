"""Add the host and a manual command to survey errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import by_hand
from ucontact_appliance.language.messages import _, what_of, with_note
from ucontact_appliance.site.model import Host


@contextmanager
def reaching(host: Host) -> Iterator[None]:
    """Convert time-outs and errors without a remedy to UnreachableError with host and command."""
    try:
        yield
    except TimeoutError as error:
        raise UnreachableError(
            _(
                "host {name} ({address}) accepts the connection, but does not respond",
                name=host.name,
                address=host.address,
            ),
            evidence=what_of(error),
            helps=_by_hand(host),
        ) from error
    except UnreachableError as error:
        if error.helps:  # ssh itself failed: its error already has the host and a command
            raise
        raise UnreachableError(
            _(
                "host {name} ({address}): {what}",
                name=host.name,
                address=host.address,
                what=error.what,
            ),
            evidence=error.evidence,
            helps=_by_hand(host),
        ) from error


def _by_hand(host: Host) -> str:
    """Return a command for the same login that must print 0 without asking for anything."""
    hint = _("must print 0")
    if host.as_root:
        hint = _(
            "must print 0; if not, allow it there in /etc/sudoers.d: "
            "{user} ALL=(ALL) NOPASSWD: ALL",
            user=host.user,
        )
    return with_note(by_hand(host, "id", "-u"), hint)
