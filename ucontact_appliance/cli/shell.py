"""`ucontact shell`: a shell or one command on a server of the site."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.cli.options import SiteOption, require_root, site_file
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.runner import LOGIN, runner_for, shared_connections, there
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.state import state_paths

app = typer.Typer(add_completion=False)


# The words after the name, also options, belong to the command on the server.
@app.command("shell", context_settings={"allow_interspersed_args": False})
def shell(
    host: Annotated[str, typer.Argument(help="The name of a host in site.yml.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[--site FILE] [-- COMMAND]",
            help="A single word is interpreted by the host's shell; several words are "
            "passed unchanged. Default: open a shell.",
        ),
    ] = None,
    site: SiteOption = None,
) -> None:
    """Run a command as root on a server of the site, and exit with its status.

    It connects as the installation does: with the account and key of site.yml and pinned host keys.

    Examples:

      ucontact shell acme1

      ucontact shell acme1 -- systemctl status asterisk

      ucontact shell acme1 --site site.yml -- 'df -h | grep /var'
    """
    require_root()
    site, command = _split(list(words or []), site)
    path = site_file(site)
    loaded = load_site(path, IDS, control_ids())
    raise typer.Exit(_run(_host(loaded, host, path), command, state_paths(loaded.site).known_hosts))


def _split(words: list[str], site: Path | None) -> tuple[Path | None, list[str]]:
    """Return site file and command: `--site FILE` may follow the host; `--` begins the command."""
    while words and words[0] != "--":
        option, equals, value = words[0].partition("=")
        if option != "--site" or (not equals and len(words) < 2):
            return site, words
        site = Path(value if equals else words[1])
        words = words[1 if equals else 2 :]
    return site, words[1:]


def _host(site: Site, name: str, path: Path) -> Host:
    for host in site.hosts:
        if host.name == name:
            return host
    raise UsageError(
        _("the site {site} has no host {name!r}", site=site.site, name=name),
        evidence=_(
            "hosts in {file}: {names}",
            file=path,
            names=", ".join(host.name for host in site.hosts),
        ),
        helps=f"ucontact shell {site.hosts[0].name} --site {path}",
    )


def _run(host: Host, command: list[str], known_hosts: Path) -> int:
    """Run the command on the host and return its exit status. Raises UnreachableError."""
    with shared_connections(known_hosts, retry_seconds=0.0) as ssh, runner_for(host, ssh) as runner:
        try:
            runner.run(["true"], timeout=30)
        except UnreachableError as error:
            raise UnreachableError(
                error.what,
                evidence=error.evidence,
                helps=_("check address, port, user and key of {host} in site.yml", host=host.name),
            ) from error
        words = runner.command(there(command) if command else LOGIN)
        if not host.is_local and sys.stdin.isatty() and sys.stdout.isatty():
            words.insert(1, "-t")
        # Ctrl-C is for the command; its exit status shows how it ended.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = subprocess.run(words, check=False, preexec_fn=_as_usual).returncode
        finally:
            signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status  # as shells report a signal


def _as_usual() -> None:
    """Restore SIGINT: an ignored signal would stay ignored in a new program (execve(2))."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
