"""`ucontact secrets`: show and change secrets. No other command shows one."""

from __future__ import annotations

import difflib
import sys
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import err, show_text, translated
from ucontact_appliance.cli.options import (
    SiteOption,
    SiteToChange,
    again,
    demand_site_to_change,
    require_root,
    site_file,
)
from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.secrets import (
    load_secrets,
    provided_names,
    required_names,
    save_secrets,
)
from ucontact_appliance.state import state_paths

app = typer.Typer(
    add_completion=False,
    help="""Show, set and rotate the site's secrets (root only).

    Examples:

      ucontact secrets list

      ucontact secrets show telephony.extensions.6001
    """,
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Dotted name, such as telephony.extensions.6001.")]

_LEAST = 8  # characters; redact.py finds values from 6 on


@app.command()
def show(name: Name, site: SiteOption = None) -> None:
    """Print one secret.

    Examples:

      ucontact secrets show telephony.extensions.6001

      ucontact secrets show stun.turn --site site.yml
    """
    require_root()
    path = site_file(site)
    found = load_site(path)
    known = load_secrets(state_paths(found.site).secrets)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        raise UsageError(
            _("the site {site} has no secret {name!r}", site=found.site, name=name),
            evidence=_("nearest: {names}", names=", ".join(near))
            if near
            else _("it has {number} secrets", number=len(known)),
            helps=f"ucontact secrets show {near[0]} --site {path}"
            if near
            else f"ucontact secrets list --site {path}",
        )
    typer.echo(known[name])


@app.command("list")
def list_names(site: SiteOption = None) -> None:
    """List the names of the secrets, without their values.

    Examples:

      ucontact secrets list

      ucontact secrets list --site site.yml
    """
    require_root()
    for name in sorted(load_secrets(state_paths(load_site(site_file(site)).site).secrets)):
        typer.echo(name)


@app.command("set")
def set_value(name: Name, site: SiteToChange = None) -> None:
    """Store a secret that somebody else issued, such as a trunk's password; read from stdin.

    Examples:

      ucontact secrets set telephony.trunks.main

      ucontact secrets set telephony.trunks.main --site site.yml < password
    """
    require_root()
    path = demand_site_to_change(site)
    found = load_site(path)
    if name not in provided_names(found):
        allowed = ", ".join(provided_names(found)) or _(
            "none: no trunk has a 'username', and no backup needs a password"
        )
        raise UsageError(
            _("the secret {name!r} can't be set", name=name),
            evidence=_(
                "secrets that can be set: {names}; all others are generated",
                names=allowed,
            ),
            helps=_(
                "ucontact secrets rotate {name} --site {file}   (generates a new one)",
                name=name,
                file=path,
            )
            if name in required_names(found)
            else f"ucontact secrets list --site {path}",
        )
    if sys.stdin.isatty():
        value = typer.prompt(name, hide_input=True)
    else:
        value = sys.stdin.readline().strip()
    if (
        not value
        or any(character in value for character in "\"';\\\n\r")
        or not value.isprintable()
    ):
        raise UsageError(_("the secret is empty, or has a quote, ';', '\\' or a control character"))
    if len(value) < _LEAST:
        raise UsageError(
            _("the secret has fewer than {least} characters", least=_LEAST),
            evidence=_(
                "a short secret is easy to guess, and looks like an ordinary word when "
                "logs and reports are redacted"
            ),
            helps=_("ask the provider for a longer one, then: {command}", command=again()),
        )
    stored = state_paths(found.site).secrets
    save_secrets(stored, {**load_secrets(stored), name: value})
    told = _("{name} is stored; the next installation applies it", name=name)
    err.print(escape(translated(told)))


@app.command()
def rotate(name: Name, site: SiteToChange = None) -> None:
    """Replace a generated secret; an extension's is replaced on the running server in seconds.

    Calls continue. The next installation applies all other secrets.

    Examples:

      ucontact secrets rotate telephony.extensions.6001

      ucontact secrets rotate stun.turn --site site.yml
    """
    require_root()
    path = demand_site_to_change(site)
    # Imported here: only `rotate` needs the installer.
    from ucontact_appliance.install import rotation  # noqa: PLC0415

    done = rotation.rotate(name, path, _say)
    if done.taken is rotation.AppliedWhen.NOW:
        told = _(
            "{name} has a new secret; {host} now accepts only the new one",
            name=name,
            host=done.host,
        )
        follows = f"ucontact secrets show {name} --site {path}"
    else:
        told = _(
            "{name} has a new secret; the servers keep the old one until the next installation",
            name=name,
        )
        follows = f"ucontact install --site {path}"
    show_text(translated(told))
    show_text(translated(_("next: {command}", command=follows)))


def _say(text: str) -> None:
    err.print(escape(translated(text)), highlight=False)
