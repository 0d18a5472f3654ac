"""`ucontact init`: a few questions with good defaults, the plan, then `site.yml`."""

from __future__ import annotations

import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    IPvAnyAddress,
    TypeAdapter,
    ValidationError,
)
from rich.markup import escape

from ucontact_appliance.cli.console import INTERRUPTED, end_unchanged, err, out
from ucontact_appliance.cli.plan_view import show_plan
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.shortfall import shortfalls
from ucontact_appliance.planning.sizing import MOST_AGENTS, size_for
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.current import SITE_FILE
from ucontact_appliance.site.files import write_atomic
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import CertificateSource, NetworkProfile, TrunkTransport
from ucontact_appliance.site.render import render_site
from ucontact_appliance.site.values import Address, Fqdn, HostName, Name, SiteName

AgentCount = Annotated[int, Field(ge=1, le=MOST_AGENTS)]
ExistingFile = Annotated[FilePath, BeforeValidator(lambda text: Path(text).expanduser().absolute())]
Days = Annotated[int, Field(ge=1, le=3650)]


def init(
    site: Annotated[
        Path, typer.Option("--site", metavar="FILE", help="Write the site file here.")
    ] = Path(SITE_FILE),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Ask a few questions, show the plan, and write site.yml.

    Examples:

      ucontact init

      ucontact init --site acme/site.yml
    """
    if site.exists() and not force:
        raise UsageError(f"{site} is there already", helps=f"ucontact init --site {site} --force")
    ask_for_site(site)


def ask_for_site(path: Path) -> Path:
    """Ask, show the plan, write the file; gives back its path. Answers may come by a pipe.

    That the file can be written is known before the first question.
    """
    _refuse_folder(path.absolute().parent)
    try:
        answers = _ask()
    except typer.Abort:
        if sys.stdin.isatty():
            end_unchanged(INTERRUPTED)
        raise UsageError(
            "nobody is there to answer the questions",
            helps=f"ucontact init --site {path}   (in a terminal)",
        ) from None
    text = render_site(answers)
    site = parse_site(text, str(path))
    made = make_plan(site, {})
    show_plan(site, made, shortfalls(site, made, {}))
    write_atomic(path, text)
    shown = escape(str(path))
    out.print(f"wrote [bold]{shown}[/]; next: [cyan]ucontact install --site {shown}[/]")
    return path


def _refuse_folder(folder: Path) -> None:
    """Raises UnreachableError for a folder that takes no file: by trying, as modes tell half."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnreachableError(
            f"no file can be written to {folder}",
            evidence=str(error),
            helps="ucontact init --site FILE   (in a folder of yours)",
        ) from error


def _ask() -> dict[str, Any]:
    err.print("A few questions; Enter takes what is in brackets.\n")
    name = _prompt("Short name of the site", "contact", SiteName)
    fqdn = _prompt("Name that agents open in Chrome", f"{name}.example.com", Fqdn)
    agents = int(_prompt("Agents at work at the same time", "20", AgentCount))
    groups = size_for(agents).groups
    profile = _prompt("Agents reach it over lan, nat or public", "lan", NetworkProfile)
    return {
        "site": name,
        "fqdn": fqdn,
        "agents": agents,
        "hosts": _ask_hosts(groups),
        "certificate": _ask_certificate(),
        "network": {
            "profile": profile,
            "public_address": _prompt("The router's public address", None, IPvAnyAddress)
            if profile == NetworkProfile.NAT.value
            else None,
        },
        "extensions": [str(6001 + index) for index in range(max(2, agents))],
        "trunks": _ask_trunk(),
        "retention_days": int(_prompt("Days that recordings are kept", "90", Days)),
    }


def _ask_hosts(groups: tuple[tuple[Role, ...], ...]) -> list[dict[str, str]]:
    hosts: list[dict[str, str]] = []
    for group in groups:
        number, roles = len(hosts) + 1, " + ".join(role.value for role in group)
        question = f"Address of server {number} ({roles}), or 'local'"
        default = "local" if len(groups) == 1 else None
        address = _prompt(question, default, _unlike(Address, [h["address"] for h in hosts]))
        names = [host["name"] for host in hosts]
        name = _prompt("Its short name", group[0].value, _unlike(Name, names))
        hosts.append({"name": name, "address": address})
    return hosts


def _unlike(kind: Any, taken: list[str]) -> Any:
    """That type, without the values that are taken."""

    def refuse(value: str) -> str:
        if value in taken:
            raise ValueError(f"{value!r} is another server's already")
        return value

    return Annotated[kind, AfterValidator(refuse)]


def _ask_certificate() -> dict[str, str]:
    question = "Certificate: private-ca (made here) or files (yours)"
    source = _prompt(question, "private-ca", CertificateSource)
    if source != CertificateSource.FILES.value:
        return {"source": source}
    return {
        "source": source,
        "chain": _prompt("PEM file with certificate and intermediates", None, ExistingFile),
        "key": _prompt("PEM file with its key", None, ExistingFile),
    }


def _ask_trunk() -> list[dict[str, str]]:
    host = _prompt("Provider's SIP address, or none", "none", HostName | Literal["none"])
    if host == "none":
        return []
    transport = _prompt("Its transport: udp, tcp or tls", "udp", TrunkTransport)
    return [{"name": "provider", "host": host, "transport": transport}]


def _prompt(question: str, default: str | None, kind: Any) -> str:
    """Ask until the answer is one that site.yml would take; `kind` is its type there."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def judged(answer: str) -> str:
        try:
            value = adapter.validate_python(answer.strip())
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise typer.BadParameter(message) from None
        return str(value.value) if isinstance(value, Enum) else str(value)

    return str(typer.prompt(question, default=default, value_proc=judged, err=True))
