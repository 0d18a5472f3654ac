"""`ucontact bans`: list and lift bans on the telephony servers."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

import typer

from ucontact_appliance.cli.bans_view import bans_document, show_bans
from ucontact_appliance.cli.console import show_error, show_json, show_text, translated
from ucontact_appliance.cli.options import (
    JsonOption,
    SiteOption,
    SiteToChange,
    demand_site_to_change,
    require_root,
    site_file,
)
from ucontact_appliance.errors import (
    EXIT_FINDINGS,
    EXIT_UNREACHABLE,
    ApplianceError,
    UnreachableError,
    UsageError,
)
from ucontact_appliance.facts.bans import HostBans, Target, parse_target
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.bans import lift as lift_bans
from ucontact_appliance.operate.bans import site_bans
from ucontact_appliance.operate.installed import load_installed

app = typer.Typer(
    add_completion=False,
    help="""List and lift bans on the telephony servers.

    Examples:

      ucontact bans list

      ucontact bans lift 192.0.2.7
    """,
    no_args_is_help=True,
)


@app.command("list")
def list_bans(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """List the addresses and connections that are banned now, by jail.

    Examples:

      ucontact bans list

      ucontact bans list --json
    """
    require_root()
    here = load_installed(site_file(site))
    found = site_bans(here)
    if as_json:
        show_json(bans_document(here.site.site, datetime.now(timezone.utc), found))
    else:
        show_bans(found)
    for name, seen in found.items():
        if isinstance(seen, HostBans) and seen.error:
            show_error(_unread(name, seen.error))
        elif isinstance(seen, UnreachableError):
            show_error(seen)
    if any(isinstance(seen, UnreachableError) or seen.error for seen in found.values()):
        raise typer.Exit(EXIT_UNREACHABLE)


@app.command("lift")
def lift(
    address: Annotated[
        str | None,
        typer.Argument(help="An IPv4 or IPv6 address, or a connection: WSS/192.0.2.7/50123."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Lift every ban of every jail.")] = False,
    site: SiteToChange = None,
) -> None:
    """Lift the bans of an address and of its connections, in every jail.

    Examples:

      ucontact bans lift 192.0.2.7

      ucontact bans lift --all
    """
    require_root()
    target = _target(address, every)
    here = load_installed(demand_site_to_change(site))
    count, asked = 0, []
    for done in lift_bans(here, target):
        asked.append(done.host)
        for ban in done.bans:
            lifted = _(
                "{host}: lifted {target} ({jail})",
                host=done.host,
                target=ban.target.id,
                jail=ban.jail or _("stale"),
            )
            show_text(translated(lifted))
        count += len(done.bans)
    if not count:
        show_error(
            ApplianceError(
                _("{target} is not banned", target=target.id) if target else _("nothing is banned"),
                evidence=_("checked {hosts}", hosts=", ".join(asked)),
                helps=f"ucontact bans list --site {here.site_file}",
            )
        )
        raise typer.Exit(EXIT_FINDINGS)


def _target(address: str | None, every: bool) -> Target | None:
    """Return what to lift, None for all. Raises UsageError for no address and no connection."""
    if (address is not None) == every:
        raise UsageError(
            _("give either an address or --all, not both") if every else _("no address was given"),
            helps=_("ucontact bans lift 192.0.2.7   (every ban: ucontact bans lift --all)"),
        )
    if address is None:
        return None
    try:
        found = parse_target(address)
    except ValueError:
        found = Target(address[:40])
    if not found.address:
        raise UsageError(
            _("{word!r} is neither an IP address nor a connection", word=found.id),
            evidence=_("a connection is PROTOCOL/ADDRESS/PORT, such as WSS/192.0.2.7/50123"),
            helps="ucontact bans list",
        )
    return found


def _unread(host: str, error: str) -> UnreachableError:
    return UnreachableError(
        _("{host}: some bans can't be read", host=host),
        evidence=error,
        helps=_("on {host}: systemctl status fail2ban.service ucontact-sip.service", host=host),
    )
