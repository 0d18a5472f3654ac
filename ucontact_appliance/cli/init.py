"""`ucontact init`: a few questions with good defaults, the plan, then `site.yml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ucontact_appliance.cli.console import err, out
from ucontact_appliance.cli.plan import show_plan
from ucontact_appliance.errors import UsageError
from ucontact_appliance.planning.sizing import size_for
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.current import SITE_FILE
from ucontact_appliance.site.files import write_atomic
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.render import render_site


def init(
    site: Annotated[Path, typer.Option("--site", help="Where to write it.")] = Path(SITE_FILE),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Ask the few questions, show the plan, write site.yml."""
    if site.exists() and not force:
        raise UsageError(f"{site} is there already", helps=f"ucontact init --site {site} --force")
    ask_for_site(site)


def ask_for_site(path: Path) -> Path:
    """Ask, show the plan, write the file; gives back its path. Needs a terminal or answers."""
    answers = _ask()
    text = render_site(answers)
    site = parse_site(text, str(path))
    show_plan(site, make_plan(site, {}))
    write_atomic(path, text)
    out.print(f"wrote [bold]{path}[/]; next: [cyan]ucontact install --site {path}[/]")
    return path


def _ask() -> dict[str, Any]:
    if sys.stdin.isatty():
        err.print("A few questions; Enter takes what is in brackets.\n")
    name = _prompt("Short name of the site", "contact")
    fqdn = _prompt("Name that agents open in Chrome", f"{name}.example.com")
    agents = _prompt_number("Agents at work at the same time", 20)
    hosts = []
    groups = size_for(agents).groups
    for number, group in enumerate(groups, start=1):
        roles = " + ".join(role.value for role in group)
        default = "local" if len(groups) == 1 else f"192.168.1.{10 + number}"
        address = _prompt(f"Address of server {number} ({roles}), or 'local'", default)
        hosts.append({"name": _prompt("Its short name", group[0].value), "address": address})
    certificate = _ask_certificate()
    profile = _prompt("Agents reach it over lan, nat or public", "lan")
    public = _prompt("The router's public address") if profile == "nat" else None
    return {
        "site": name,
        "fqdn": fqdn,
        "agents": agents,
        "hosts": hosts,
        "certificate": certificate,
        "network": {"profile": profile, "public_address": public},
        "extensions": [str(6001 + index) for index in range(max(2, min(agents, 1000)))],
        "trunks": _ask_trunk(),
        "retention_days": _prompt_number("Days that recordings are kept", 90),
    }


def _ask_certificate() -> dict[str, str]:
    source = _prompt("Certificate: private-ca (made here) or files (yours)", "private-ca")
    if source != "files":
        return {"source": source}
    return {
        "source": source,
        "chain": _prompt("PEM file with certificate and intermediates"),
        "key": _prompt("PEM file with its key"),
    }


def _ask_trunk() -> list[dict[str, str]]:
    host = _prompt("Provider's SIP address (Enter: none yet)", "")
    if not host:
        return []
    transport = _prompt("Its transport: udp, tcp or tls", "udp")
    return [{"name": "provider", "host": host, "transport": transport}]


def _prompt(question: str, default: str | None = None) -> str:
    return str(typer.prompt(question, default=default, show_default=bool(default), err=True))


def _prompt_number(question: str, default: int) -> int:
    return int(typer.prompt(question, default=default, type=int, err=True))
