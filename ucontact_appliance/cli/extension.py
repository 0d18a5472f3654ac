"""`ucontact extension`: add, remove and list agents' extensions without an editor."""

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
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.editing import with_extensions, without_extensions
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.secrets import extension_secret
from ucontact_appliance.site.telephony import Telephony

app = typer.Typer(
    add_completion=False,
    help="""Add, remove and list agents' extensions.

    Examples:

      ucontact extension add 6003 --apply

      ucontact extension list
    """,
    no_args_is_help=True,
)

Numbers = Annotated[list[str], typer.Argument(help="Extensions, such as 6003.")]


@app.command()
def add(numbers: Numbers, site: SiteToChange = None, *, apply: ApplyOption = False) -> None:
    """Add extensions to site.yml, keeping its comments and order.

    Examples:

      ucontact extension add 6003 6004

      ucontact extension add 6003 --apply --site site.yml
    """
    require_root()
    path = demand_site_to_change(site)
    done = change_site(path, partial(with_extensions, numbers=numbers), apply=apply)
    if apply:
        show_next("secrets", "show", extension_secret(numbers[0]), "--site", done.path)
    else:
        show_next("apply", "--site", done.path)


@app.command()
def remove(numbers: Numbers, site: SiteToChange = None, *, apply: ApplyOption = False) -> None:
    """Remove extensions from site.yml; refused while a queue or a number uses one.

    The secret is kept, for the case that the extension comes back: replace it then.

    Examples:

      ucontact extension remove 6003

      ucontact extension remove 6003 6004 --apply --site site.yml
    """
    require_root()
    path = demand_site_to_change(site)
    done = change_site(path, partial(without_extensions, numbers=numbers), apply=apply)
    if not apply:
        show_next("apply", "--site", done.path)


@app.command("list")
def list_extensions(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """List the extensions of site.yml, with their phones and queues.

    Examples:

      ucontact extension list

      ucontact extension list --site site.yml --json
    """
    found = load_site(site_file(site))
    rows = [_row(found.telephony, number) for number in found.telephony.extensions]
    if as_json:
        show_json({"site": found.site, "extensions": rows})
        return
    if not rows:
        show_text(translated(_("{site} has no extensions", site=found.site)))
        return
    shown = table(_("extension"), _("device"), _("queues"), _("supervisor"))
    for row in rows:
        device = row["phone"] or translated(_("softphone"))
        supervisor = translated(_("yes")) if row["supervisor"] else ""
        cells = (row["extension"], device, ", ".join(row["queues"]), supervisor)
        shown.add_row(*map(escape, cells))
    out.print(shown)


def _row(telephony: Telephony, number: str) -> dict[str, Any]:
    phones = {phone.extension: phone.mac for phone in telephony.phones}
    return {
        "extension": number,
        "phone": phones.get(number),
        "queues": [queue.name for queue in telephony.queues if number in queue.agents],
        "supervisor": number in telephony.supervisors,
        "secret": extension_secret(number),
    }
