"""The installed site, loaded from the state on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import Secrets, load_secrets
from ucontact_appliance.state import StatePaths, state_paths


@dataclass(frozen=True)
class Installed:
    """A site, the plan of its newest installation, and its secrets."""

    site: Site
    site_file: Path
    plan: Plan
    secrets: Secrets
    paths: StatePaths


def load_installed(site_file: Path) -> Installed:
    """Load the installed site. Raises UsageError if it was never installed from this machine."""
    site = load_site(site_file, IDS, control_ids())
    paths = state_paths(site.site)
    try:
        plan = Plan.model_validate_json(paths.plan.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            _("the site {site} was not installed from this machine yet", site=site.site),
            evidence=_("there is no {path}", path=paths.plan),
            helps=f"ucontact install --site {site_file}",
        ) from None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise UnreachableError(
            _("the plan {plan} can't be read", plan=paths.plan),
            evidence=why(error),
            helps=f"ucontact install --site {site_file}",
        ) from error
    if {host.name for host in plan.hosts} != {host.name for host in site.hosts}:
        raise UsageError(
            _("the hosts in site.yml differ from the installed ones"),
            evidence=_("installed: {names}", names=", ".join(host.name for host in plan.hosts)),
            helps=f"ucontact install --site {site_file}",
        )
    return Installed(site, site_file, plan, load_secrets(paths.secrets), paths)


def save_plan(paths: StatePaths, plan: Plan) -> None:
    """Save the plan that is being installed, once preflight has passed."""
    write_private(paths.plan, plan.model_dump_json(indent=2) + "\n")
