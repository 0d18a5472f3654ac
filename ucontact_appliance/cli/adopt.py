"""`ucontact adopt`: continue a site on this machine, with its recovery key."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.checks.model import Calls, Finding, Verdict
from ucontact_appliance.cli.console import err, show_text, translated
from ucontact_appliance.cli.options import require_root
from ucontact_appliance.errors import EXIT_FINDINGS, UsageError
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.language.messages import _, ngettext
from ucontact_appliance.operate.examination import examine
from ucontact_appliance.operate.installed import load_installed
from ucontact_appliance.operate.recovery import fetch_state, refuse_to_overwrite, write_state
from ucontact_appliance.site.current import SITE_FILE, remember_site
from ucontact_appliance.site.editing import with_host_keys
from ucontact_appliance.site.loader import load_site, parse_site
from ucontact_appliance.site.model import EVALUATION, Host, Site
from ucontact_appliance.site.recovery_key import RecoveryKey, parse_recovery_key
from ucontact_appliance.state import state_paths


def adopt(
    address: Annotated[str, typer.Argument(help="Address of any server of the site.")],
    *,
    user: Annotated[str, typer.Option(help="Log in as this user. Default: root.")] = "root",
    port: Annotated[int, typer.Option(help="Connect to this ssh port. Default: 22.")] = 22,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Use this ssh private key, here and in site.yml. Default: the agent's keys, and "
            "the files that site.yml names."
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="FILE", help="Write site.yml there. Default: ./site.yml."),
    ] = None,
) -> None:
    """Continue a site on this machine: its installing machine is lost, or is replaced.

    Takes site.yml, secrets, keys and records from a server, which keeps them sealed with the
    recovery key; the key is asked for, or read from stdin. Then runs the checks with a real call.

    Examples:

      ucontact adopt 192.0.2.10

      ucontact adopt 192.0.2.10 --key ~/.ssh/acme --site /root/acme/site.yml < recovery-key
    """
    require_root()
    path = (site or Path(SITE_FILE)).absolute()
    if not path.parent.is_dir():
        raise UsageError(_("there is no folder {path}", path=path.parent))
    recovery = asked_key()
    ssh_key = None if key is None else key.expanduser().absolute()
    host = Host(name="adopted", address=address, user=user, port=port, key=ssh_key)
    with tempfile.TemporaryDirectory() as folder:
        known_hosts = Path(folder) / "known_hosts"
        with runner_for(host, SshSettings(known_hosts)) as runner:
            state = fetch_state(host, runner, recovery)
    text = state.site_yml if ssh_key is None else with_host_keys(state.site_yml, str(ssh_key))
    parse_site(text, str(path))
    paths = state_paths(state.site)
    refuse_to_overwrite(state, paths, path)
    beside = write_state(state, paths, path, text, recovery)
    remember_site(path)
    _say(
        _(
            "took over {site}: state of {created:%Y-%m-%d %H:%M} UTC, from {controller}",
            site=state.site,
            created=state.created,
            controller=state.controller,
        )
    )
    for one in (path, paths.etc, paths.var, *beside):
        _say(_("written: {path}", path=one))
    _judge(load_site(path), path)


def asked_key() -> RecoveryKey:
    """Return the recovery key, asked for on a terminal or read from stdin. Raises UsageError."""
    if sys.stdin.isatty():
        return parse_recovery_key(typer.prompt(translated(_("Recovery key")), hide_input=True))
    return parse_recovery_key(sys.stdin.readline())


def _judge(site: Site, path: Path) -> None:
    """Run the doctor's checks with a short real call; exit 1 when one fails."""
    if site.release != EVALUATION and not Path(site.release).exists():
        _say(_("missing: copy the release to {path} before an installation", path=site.release))
    findings = examine(load_installed(path), calls=Calls.ECHO)
    wrong = [one for one in findings if one.waived is None and one.verdict in _WRONG]
    for finding in wrong:
        _say(_line(finding))
    if wrong:
        told = ngettext("{count} check fails", "{count} checks fail", len(wrong))
        show_text(translated(told))
        show_text(translated(_("next: {command}", command=f"ucontact doctor --site {path}")))
        raise typer.Exit(EXIT_FINDINGS)
    told = _("all checks pass, a real call among them; this machine is the site's from now on")
    show_text(translated(told))


_WRONG = (Verdict.FAIL, Verdict.ERROR)


def _line(finding: Finding) -> str:
    return f"{finding.host}: {finding.id}: {translated(finding.observed)}"


def _say(text: str) -> None:
    err.print(escape(translated(text)), highlight=False, soft_wrap=True)
