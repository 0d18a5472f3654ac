"""The last words of an install and of a dry run.

Where the portal is, who can log in and what the PCs have to trust; or what would be changed.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from ucontact_appliance.cli.console import out, table
from ucontact_appliance.install.phases import Unforeseen
from ucontact_appliance.install.run import InstallResult, Preview
from ucontact_appliance.pki.issue import site_authority
from ucontact_appliance.site.model import CertificateSource, Site
from ucontact_appliance.state import state_paths


def show_preview(rows: Sequence[Preview]) -> None:
    """What a dry run found, by phase; what it could not judge says why."""
    shown = table("phase", "would change")
    for row in rows:
        match row.changes:
            case Unforeseen(because=because):
                shown.add_row(row.title, f"not judged: {because}")
            case changes:
                shown.add_row(row.title, str(changes))
    out.print(
        shown,
        "\nnothing was changed; the numbers hold for the servers as they are",
        highlight=False,
    )


def show_installed(site: Site, site_file: Path, done: InstallResult) -> None:
    """What was done, and what people do next; secrets are named, and never shown."""
    paths = state_paths(site.site)
    lines = [
        f"[bold green]installed[/] changed={done.changed} in {done.seconds:.0f} s",
        f"call    {escape(done.call)}",
        f"portal  https://{site.fqdn}/uContact/",
        *_login(site, site_file),
        *(_trust(site) if site.certificate.source is CertificateSource.PRIVATE_CA else ()),
        f"log     {escape(str(done.log))}",
        f"reports {escape(str(paths.reports))}",
    ]
    out.print("\n".join(lines), highlight=False, soft_wrap=True)


def _login(site: Site, site_file: Path) -> tuple[str, ...]:
    """The first login, by the command that prints its secret."""
    numbers = site.telephony.extensions
    if not numbers:
        return ()
    name = f"telephony.extensions.{numbers[0]}"
    command = shlex.join(["ucontact", "secrets", "show", name, "--site", str(site_file)])
    return (f"login   {numbers[0]}; its secret: [cyan]{escape(command)}[/]",)


def _trust(site: Site) -> tuple[str, ...]:
    """The site's CA, and how PCs are made to trust it."""
    authority = site_authority(state_paths(site.site))
    file = str(authority.path)
    target = f"/usr/local/share/ca-certificates/ucontact-{site.site}.crt"
    return (
        f"CA      {escape(file)}   (every PC must trust it, or its browser refuses the portal)",
        f"        SHA-256 {authority.fingerprint}",
        "        Windows  Group Policy: import it as a trusted root certification authority",
        f"        Linux    {escape(shlex.join(['cp', file, target]))} && update-ca-certificates",
        "        browsers Firefox on Linux and Chrome on Linux by policy: docs/private-ca.md",
    )
