"""`ucontact phones`: what to enter so that hardphones find their configuration."""

from __future__ import annotations

from typing import Any

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import out, show_json, show_text, table, translated
from ucontact_appliance.cli.options import JsonOption, SiteOption, site_file
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.phones import PROVISIONING, Phone, PhoneModel
from ucontact_appliance.site.secrets import phone_secret

app = typer.Typer(
    add_completion=False,
    help="""List hardphones, with what to enter so that they find their configuration.

    Examples:

      ucontact phones list

      ucontact phones list --json
    """,
    no_args_is_help=True,
)

# The options of DHCP in which each maker's phones look for a URL, the usual one first, and the
# maker's redirection service, where the URL is registered for a MAC address.
_DHCP_OPTIONS = {
    PhoneModel.YEALINK: (66, 43),
    PhoneModel.GRANDSTREAM: (66, 43),
    PhoneModel.POLYCOM: (66, 160),
    PhoneModel.FANVIL: (66, 43),
}
_REDIRECTION = {
    PhoneModel.YEALINK: "Yealink RPS",
    PhoneModel.GRANDSTREAM: "Grandstream GDMS",
    PhoneModel.POLYCOM: "Poly ZTP",
    PhoneModel.FANVIL: "Fanvil FDPS",
}


@app.callback()
def phones() -> None:
    """Keep `list` a command of its own: Typer would otherwise merge a single command."""


@app.command("list")
def list_phones(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """List each phone with its URL, its login, and the DHCP options that can carry the URL.

    Examples:

      ucontact phones list

      ucontact phones list --site site.yml --json
    """
    path = site_file(site)
    found = load_site(path)
    if as_json:
        show_json({"site": found.site, "phones": [_row(found, p) for p in found.telephony.phones]})
    elif found.telephony.phones:
        _show(found, str(path))
    else:
        show_text(translated(_("{site} has no hardphones", site=found.site)))


def _url(site: Site) -> str:
    """The folder: a phone appends the name of its file."""
    return f"https://{site.fqdn}{PROVISIONING}"


def _row(site: Site, phone: Phone) -> dict[str, Any]:
    return {
        "mac": phone.mac,
        "model": phone.model.value,
        "extension": phone.extension,
        "url": _url(site),
        "file": phone.file_name,
        "user": phone.mac,
        "secret": phone_secret(phone.mac),
        "dhcp_options": list(_DHCP_OPTIONS[phone.model]),
        "redirection_service": _REDIRECTION[phone.model],
    }


def _show(site: Site, path: str) -> None:
    rows = table(
        _("MAC (user)"), _("model"), _("extension"), _("DHCP option"), _("redirection service")
    )
    for phone in site.telephony.phones:
        options = " / ".join(str(option) for option in _DHCP_OPTIONS[phone.model])
        cells = (phone.mac, phone.model.value, phone.extension, options, _REDIRECTION[phone.model])
        rows.add_row(*map(escape, cells))
    out.print(rows)
    first = phone_secret(site.telephony.phones[0].mac)
    show_text(translated(_("provisioning URL: {url}", url=_url(site))))
    show_text(
        translated(
            _(
                "enter it as the DHCP option, at the redirection service or on the phone; with "
                "user and password of the phone at the latter two"
            )
        )
    )
    show_text(
        translated(_("password: {command}", command=f"ucontact secrets show {first} --site {path}"))
    )
