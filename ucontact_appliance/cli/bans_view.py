"""The bans of a site: a table for people, one document for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.markup import escape

from ucontact_appliance.cli.console import out, table, translated
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.bans import Ban, BanState, HostBans
from ucontact_appliance.language.messages import _

_STANDING = {
    BanState.IN_FORCE: _("in force"),
    BanState.LEFT_OVER: _("stale: unknown to fail2ban"),
    BanState.NOT_ENFORCED: _("not enforced: missing in nftables"),
}
Found = Mapping[str, HostBans | UnreachableError]


def show_bans(found: Found) -> None:
    """Print one line per ban, or a sentence if there is none."""
    rows = table(_("host"), _("jail"), _("banned"), _("since (UTC)"), _("until (UTC)"), _("state"))
    count = 0
    for name, seen in found.items():
        for ban in seen.bans if isinstance(seen, HostBans) else ():
            style = "green" if ban.standing is BanState.IN_FORCE else "yellow"
            cells = (name, ban.jail or "-", ban.target.id, _time(ban.since), _until(ban))
            rows.add_row(*map(escape, cells), f"[{style}]{translated(_STANDING[ban.standing])}[/]")
            count += 1
    asked = [name for name, seen in found.items() if isinstance(seen, HostBans)]
    if count:
        out.print(rows)
    elif asked:
        told = _("nothing is banned on {hosts}", hosts=", ".join(asked))
        out.print(escape(translated(told)), highlight=False)


def bans_document(site: str, time: datetime, found: Found) -> dict[str, Any]:
    """Return the bans per host, with `error` if not all could be read, else null."""
    return {
        "site": site,
        "time": time.isoformat(timespec="seconds"),
        "hosts": [{"name": name, **_host(seen)} for name, seen in found.items()],
    }


def _host(seen: HostBans | UnreachableError) -> dict[str, Any]:
    if isinstance(seen, UnreachableError):
        error = {"what": seen.what, "evidence": seen.evidence, "helps": seen.helps}
        return {"error": error, "bans": []}
    error = {"what": "not every ban can be read", "evidence": seen.error, "helps": ""}
    return {"error": error if seen.error else None, "bans": [_row(ban) for ban in seen.bans]}


def _row(ban: Ban) -> dict[str, Any]:
    return {
        "jail": ban.jail or None,
        "id": ban.target.id,
        "address": ban.target.address or None,
        "port": ban.target.port,
        "since": ban.since.isoformat() if ban.since else None,
        "until": ban.until.isoformat() if ban.until else None,
        "state": ban.standing.name.lower().replace("_", "-"),
    }


def _time(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S") if time else translated(_("unknown"))


def _until(ban: Ban) -> str:
    return translated(_("permanent")) if ban.since and not ban.until else _time(ban.until)
