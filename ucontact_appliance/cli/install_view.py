"""Print the result of an install or a dry run.

It names the portal, the first login and the CA that PCs must trust, or the changes to be made.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from ucontact_appliance.cli.console import out, table, translated
from ucontact_appliance.install.phases import Unpredictable
from ucontact_appliance.install.run import InstallResult, PhasePreview
from ucontact_appliance.language.messages import _
from ucontact_appliance.pki.issue import site_authority
from ucontact_appliance.site.model import CertificateSource, Site
from ucontact_appliance.site.secrets import extension_secret
from ucontact_appliance.state import StatePaths, state_paths


def show_preview(rows: Sequence[PhasePreview]) -> None:
    """Print the result of a dry run per phase, or why a phase could not be judged."""
    shown = table(_("phase"), _("would change"))
    for row in rows:
        match row.changes:
            case Unpredictable(because=because):
                told = _("not judged: {because}", because=because)
                shown.add_row(translated(row.title), escape(translated(told)))
            case changes:
                shown.add_row(translated(row.title), str(changes))
    told = _("nothing was changed; the numbers apply to the current state of the servers")
    out.print(shown, f"\n{translated(told)}", highlight=False)


def show_installed(site: Site, site_file: Path, done: InstallResult) -> None:
    """Print what was done and the next steps; secrets are named, and never shown."""
    paths = state_paths(site.site)
    first = _(
        "[bold green]installed[/] changed={changed} in {seconds:.0f} s",
        changed=done.changed,
        seconds=done.seconds,
    )
    rows = [
        (_("call"), escape(translated(done.call))),
        (_("portal"), f"https://{site.fqdn}/uContact/"),
        *_login(site, site_file),
        *_recovery(paths, site_file),
        *(_trust(site) if site.certificate.source is CertificateSource.PRIVATE_CA else ()),
        (_("log"), escape(str(done.log))),
        (_("reports"), escape(str(paths.reports))),
    ]
    width = max(len(translated(label)) for label, __ in rows)
    lines = [f"{translated(label):<{width}} {translated(text)}" for label, text in rows]
    out.print("\n".join((translated(first), *lines)), highlight=False, soft_wrap=True)


def _login(site: Site, site_file: Path) -> tuple[tuple[str, str], ...]:
    """Return the first login, with the command that prints its secret."""
    numbers = site.telephony.softphones
    if not numbers:
        return ()
    name = extension_secret(numbers[0])
    command = shlex.join(["ucontact", "secrets", "show", name, "--site", str(site_file)])
    told = _(
        "{extension}; its secret: [cyan]{command}[/]",
        extension=numbers[0],
        command=escape(command),
    )
    return ((_("login"), told),)


def _recovery(paths: StatePaths, site_file: Path) -> tuple[tuple[str, str], ...]:
    """Return how to see the recovery key, until somebody has seen it."""
    if paths.recovery_shown.exists():
        return ()
    command = shlex.join(["ucontact", "recovery", "show", "--site", str(site_file)])
    told = _(
        "for a lost installing machine; note it: [cyan]{command}[/]",
        command=escape(command),
    )
    return ((_("key"), told),)


def _trust(site: Site) -> tuple[tuple[str, str], ...]:
    """Return the site's CA, and how to make PCs trust it."""
    authority = site_authority(state_paths(site.site))
    file = str(authority.path)
    target = f"/usr/local/share/ca-certificates/ucontact-{site.site}.crt"
    trusted = _(
        "{file}   (every PC must trust it, or its browser rejects the portal)", file=escape(file)
    )
    return (
        ("CA", trusted),
        ("", f"SHA-256 {authority.fingerprint}"),
        ("", _("Windows  Group Policy: import it as a trusted root certification authority")),
        ("", f"Linux    {escape(shlex.join(['cp', file, target]))} && update-ca-certificates"),
        ("", _("browsers Firefox on Linux and Chrome on Linux by policy: docs/private-ca.md")),
    )
