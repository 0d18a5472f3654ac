"""`ucontact recovery`: the key with which another machine can continue a site."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Annotated

import typer

from ucontact_appliance.cli.console import err, show_text, translated
from ucontact_appliance.cli.options import SiteOption, require_root, site_file
from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.recovery_key import load_recovery_key
from ucontact_appliance.state import state_paths

app = typer.Typer(
    add_completion=False,
    help="""Show the recovery key, with which another machine can continue the site.

    Examples:

      ucontact recovery show

      ucontact recovery show --qr
    """,
    no_args_is_help=True,
)


@app.callback()
def recovery() -> None:
    """Keep `show` a command of its own: Typer would otherwise merge a single command."""


@app.command()
def show(
    site: SiteOption = None,
    *,
    qr: Annotated[
        bool, typer.Option("--qr", help="Print the key as a QR code too, to photograph or print.")
    ] = False,
) -> None:
    """Print the recovery key: write it down, and keep it off this machine.

    Whoever has it and may log in to a server of the site can take the site over.

    Examples:

      ucontact recovery show

      ucontact recovery show --qr --site site.yml
    """
    require_root()
    path = site_file(site)
    found = load_site(path)
    paths = state_paths(found.site)
    key = load_recovery_key(paths.recovery_key)
    if key is None:
        raise UsageError(
            _("the site {site} has no recovery key yet", site=found.site),
            helps=f"ucontact install --site {path}",
        )
    show_text(key.text)
    if qr:
        # Imported here: no other command draws one.
        import segno  # noqa: PLC0415

        segno.make(key.text).terminal(compact=True)
    shown = datetime.now(timezone.utc).isoformat(timespec="seconds")
    write_private(paths.recovery_shown, json.dumps({"shown": shown}) + "\n")
    told = _("with it, on another machine: ucontact adopt ADDRESS   (of any server of the site)")
    err.print(translated(told), highlight=False)
