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

from ucontact_appliance.cli.console import INTERRUPTED, end_unchanged, err, out, translated
from ucontact_appliance.cli.plan_view import show_plan
from ucontact_appliance.cli.usage_errors import usage_message
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import Message, _, what_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.shortfall import shortfalls
from ucontact_appliance.planning.sizing import MOST_AGENTS, size_for
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.current import SITE_FILE
from ucontact_appliance.site.files import write_atomic
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import CertificateSource, NetworkProfile
from ucontact_appliance.site.render import render_site
from ucontact_appliance.site.values import Address, Fqdn, HostName, Name, SiteName

AgentCount = Annotated[int, Field(ge=1, le=MOST_AGENTS)]
ExistingFile = Annotated[FilePath, BeforeValidator(lambda text: Path(text).expanduser().absolute())]
Days = Annotated[int, Field(ge=1, le=3650)]


def init(
    site: Annotated[
        Path, typer.Option("--site", metavar="FILE", help="Write the site file to this path.")
    ] = Path(SITE_FILE),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Ask a few questions, show the plan, and write site.yml.

    Examples:

      ucontact init

      ucontact init --site acme/site.yml
    """
    if site.exists() and not force:
        raise UsageError(
            _("{file} already exists", file=site), helps=f"ucontact init --site {site} --force"
        )
    ask_for_site(site)


def ask_for_site(path: Path) -> Path:
    """Ask, show the plan, write the file, and return its path. Answers may come from a pipe.

    A folder that can't be written to is refused before the first question.
    """
    _refuse_folder(path.absolute().parent)
    try:
        answers = _ask()
    except typer.Abort:
        if sys.stdin.isatty():
            end_unchanged(INTERRUPTED)
        raise UsageError(
            _("stdin is not a terminal, so the questions can't be answered"),
            helps=_("ucontact init --site {file}   (in a terminal)", file=path),
        ) from None
    text = render_site(answers)
    site = parse_site(text, str(path))
    made = make_plan(site, {})
    show_plan(site, made, shortfalls(site, made, {}))
    write_atomic(path, text)
    shown = escape(str(path))
    told = _("wrote [bold]{file}[/]; next: [cyan]ucontact install --site {file}[/]", file=shown)
    out.print(translated(told))
    return path


def _refuse_folder(folder: Path) -> None:
    """Raise UnreachableError if no file can be created in the folder, which modes don't show."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnreachableError(
            _("no file can be written to {folder}", folder=folder),
            evidence=str(error),
            helps=_("ucontact init --site FILE   (in a folder that you can write to)"),
        ) from error


def _ask() -> dict[str, Any]:
    err.print(translated(_("A few questions; press Enter to accept the value in brackets.")) + "\n")
    name = _prompt(_("Short name of the site"), "contact", SiteName)
    fqdn = _prompt(_("Name that agents open in Chrome"), f"{name}.example.com", Fqdn)
    agents = int(_prompt(_("Simultaneous agents"), "20", AgentCount))
    groups = size_for(agents).groups
    profile = _prompt(_("How agents reach the site: lan, nat or public"), "lan", NetworkProfile)
    return {
        "site": name,
        "fqdn": fqdn,
        "agents": agents,
        "hosts": _ask_hosts(groups),
        "certificate": _ask_certificate(),
        "network": {
            "profile": profile,
            "public_address": _prompt(_("The router's public address"), None, IPvAnyAddress)
            if profile == NetworkProfile.NAT.value
            else None,
        },
        "extensions": [str(6001 + index) for index in range(max(2, agents))],
        "trunks": _ask_trunk(),
        "retention_days": int(_prompt(_("Days to keep recordings"), "90", Days)),
    }


def _ask_hosts(groups: tuple[tuple[Role, ...], ...]) -> list[dict[str, str]]:
    hosts: list[dict[str, str]] = []
    for group in groups:
        number, roles = len(hosts) + 1, " + ".join(role.value for role in group)
        question = _("Address of server {number} ({roles}), or 'local'", number=number, roles=roles)
        default = "local" if len(groups) == 1 else None
        address = _prompt(question, default, _unlike(Address, [h["address"] for h in hosts]))
        names = [host["name"] for host in hosts]
        name = _prompt(_("Its short name"), group[0].value, _unlike(Name, names))
        hosts.append({"name": name, "address": address})
    return hosts


def _unlike(kind: Any, taken: list[str]) -> Any:
    """Return that type, without the values that are taken."""

    def refuse(value: str) -> str:
        if value in taken:
            raise ValueError(_("{word!r} is already used by another server", word=value))
        return value

    return Annotated[kind, AfterValidator(refuse)]


def _ask_certificate() -> dict[str, str]:
    question = _("Certificate: private-ca (made here) or files (yours)")
    source = _prompt(question, "private-ca", CertificateSource)
    if source != CertificateSource.FILES.value:
        return {"source": source}
    return {
        "source": source,
        "chain": _prompt(_("PEM file with certificate and intermediates"), None, ExistingFile),
        "key": _prompt(_("PEM file with its key"), None, ExistingFile),
    }


def _ask_trunk() -> list[dict[str, str]]:
    host = _prompt(_("Provider's SIP address, or none"), "none", HostName | Literal["none"])
    if host == "none":
        return []
    transport = _prompt(_("Its transport: udp, tcp or tls"), "udp", Literal["udp", "tcp", "tls"])
    return [{"name": "provider", "host": host, "transport": transport}]


def _prompt(question: str, default: str | None, kind: Any) -> str:
    """Ask until the answer is valid in site.yml; `kind` is its type there."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def judged(answer: str) -> str:
        try:
            value = adapter.validate_python(answer.strip())
        except ValidationError as error:
            raise typer.BadParameter(translated(_refusal(error))) from None
        return str(value.value) if isinstance(value, Enum) else str(value)

    asked = translated(question)
    return str(typer.prompt(asked, default=default, value_proc=judged, err=True))


def _refusal(error: ValidationError) -> Message:
    """Return what is wrong with an answer: the message of our own types, or pydantic's."""
    first = error.errors()[0]
    raised = first.get("ctx", {}).get("error")
    return what_of(raised) if isinstance(raised, ValueError) else usage_message(first["msg"])
