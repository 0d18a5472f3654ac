"""`ucontact trunk`: add, remove and list trunks to the telephony provider without an editor."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import out, show_json, show_text, table, translated
from ucontact_appliance.cli.options import (
    JsonOption,
    SiteOption,
    SiteToChange,
    demand_site_to_change,
    require_root,
    site_file,
)
from ucontact_appliance.cli.site_changes import ApplyOption, change_site, show_next
from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.editing import with_trunk, without_trunk
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import trunk_secret
from ucontact_appliance.site.trunks import Codec, NumberFormat, Trunk, TrunkTransport

app = typer.Typer(
    add_completion=False,
    help="""Add, remove and list trunks to telephony providers.

    Examples:

      ucontact trunk add carrier --host sip.example.net --prefix 9 --apply

      ucontact trunk list
    """,
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the trunk in site.yml.")]


@app.command()
def add(
    name: Name,
    *,
    host: Annotated[
        str | None,
        typer.Option(help="Connect to this address or name; required, except for wss."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Connect to this port. Default: 5060, or 5061 for tls.")
    ] = None,
    transport: Annotated[
        TrunkTransport | None, typer.Option(help="Carry SIP over this. Default: udp.")
    ] = None,
    username: Annotated[
        str | None, typer.Option(help="Log in with this account name of the provider's.")
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Register with the provider.")
    ] = False,
    srtp: Annotated[bool, typer.Option("--srtp", help="Encrypt media to the provider.")] = False,
    codec: Annotated[
        list[Codec] | None,
        typer.Option(help="Offer this codec. Repeatable, in order. Default: alaw, ulaw."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(help="Send numbers dialled with these digits in front. Default: 9."),
    ] = None,
    max_calls: Annotated[
        int | None,
        typer.Option(help="Limit concurrent calls to this number. Default: no limit."),
    ] = None,
    number_format: Annotated[
        NumberFormat | None,
        typer.Option(help="Send called numbers in this form. Default: as-dialled."),
    ] = None,
    caller_id: Annotated[
        str | None,
        typer.Option(help="Show this number. Default: the extension's number."),
    ] = None,
    test_number: Annotated[
        str | None,
        typer.Option(help="Let `ucontact doctor --deep` call this number through the trunk."),
    ] = None,
    site: SiteToChange = None,
    apply: ApplyOption = False,
) -> None:
    """Add a trunk to site.yml, keeping its comments and order.

    All other settings of a trunk are keys of site.yml.

    Examples:

      ucontact trunk add carrier --host sip.example.net --prefix 9

      ucontact trunk add carrier --host 198.51.100.7 --transport tls --username 100 --register
    """
    require_root()
    given = {
        "name": name,
        "host": host,
        "port": port,
        "transport": transport and transport.value,
        "username": username,
        "register": register or None,
        "srtp": srtp or None,
        "codecs": [one.value for one in codec] if codec else None,
        "prefix": prefix,
        "max_calls": max_calls,
        "number_format": number_format and number_format.value,
        "caller_id": caller_id,
        "test_number": test_number,
    }
    if username is not None and apply:
        raise UsageError(
            _("a trunk with an account needs its password before it can be applied"),
            helps=_("run the command without --apply, and then the ones that it prints"),
        )
    path = demand_site_to_change(site)
    row = {key: value for key, value in given.items() if value is not None}
    done = change_site(path, partial(with_trunk, trunk=row), apply=apply)
    if username is not None:
        show_next("secrets", "set", trunk_secret(name), "--site", done.path)
    if not apply:
        show_next("apply", "--site", done.path)


@app.command()
def remove(name: Name, site: SiteToChange = None, *, apply: ApplyOption = False) -> None:
    """Remove a trunk from site.yml; refused while a route uses it.

    Examples:

      ucontact trunk remove carrier

      ucontact trunk remove carrier --apply --site site.yml
    """
    require_root()
    path = demand_site_to_change(site)
    done = change_site(path, partial(without_trunk, name=name), apply=apply)
    if not apply:
        show_next("apply", "--site", done.path)


@app.command("list")
def list_trunks(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """List the trunks of site.yml, with the prefixes that lead to them.

    Examples:

      ucontact trunk list

      ucontact trunk list --site site.yml --json
    """
    found = load_site(site_file(site))
    trunks = found.telephony.trunks
    if as_json:
        show_json({"site": found.site, "trunks": [_row(found, trunk) for trunk in trunks]})
        return
    if not trunks:
        show_text(translated(_("{site} has no trunks", site=found.site)))
        return
    columns = (_("trunk"), _("transport"), _("host"), _("account"), _("prefixes"), _("calls"))
    shown = table(*columns)
    for trunk in trunks:
        limit = str(trunk.max_calls) if trunk.max_calls else translated(_("no limit"))
        host = _address(trunk) or translated(_("connects to us"))
        prefixes = ", ".join(_prefixes(found, trunk))
        account = trunk.username or ""
        cells = (trunk.name, trunk.transport.value, host, account, prefixes, limit)
        shown.add_row(*map(escape, cells))
    out.print(shown)


def _address(trunk: Trunk) -> str | None:
    if trunk.host is None:
        return None
    return trunk.host if trunk.port is None else f"{trunk.host} {trunk.port}"


def _prefixes(site: Site, trunk: Trunk) -> list[str]:
    """Return the trunk's own prefix, then those of the routes that may take it."""
    routes = site.telephony.routes
    return [
        trunk.prefix,
        *(route.prefix for route in routes if trunk.name in (one.trunk for one in route.trunks)),
    ]


def _row(site: Site, trunk: Trunk) -> dict[str, Any]:
    return {
        **trunk.model_dump(mode="json"),
        "prefixes": _prefixes(site, trunk),
        "secret": trunk_secret(trunk.name) if trunk.username else None,
    }
