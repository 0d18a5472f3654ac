"""What changed in site.yml since the newest installation."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from ucontact_appliance.install.journal import Journal
from ucontact_appliance.site.model import Site

# Keys that can change the plan: the servers, their roles and sizes.
_OF_THE_PLAN = ("agents", "hosts", "database_on")


@dataclass(frozen=True)
class SiteChanges:
    """A unified diff of site.yml's values, defaults left out, and whether the plan may differ."""

    diff: str
    concern_servers: bool


def site_changes(journal: Journal, site: Site) -> SiteChanges:
    """Return what differs from the site that the newest run of the journal installed.

    Waivers and attestations are no inputs of an installation, and are left out.
    """
    before, after = _values(_installed(journal)), _values(site)
    lines = difflib.unified_diff(_lines(before), _lines(after), n=1, lineterm="")
    return SiteChanges(
        diff="\n".join(list(lines)[2:]),
        concern_servers=any(before.get(key) != after.get(key) for key in _OF_THE_PLAN),
    )


def _installed(journal: Journal) -> Site | dict[str, Any]:
    """Return the installed site; as it was written down where the model is another by now."""
    found: dict[str, Any] = journal.inputs.get("site", {})
    try:
        return Site.model_validate(found)
    except ValidationError:
        return found


def _values(site: Site | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(site, Site):
        return site
    return site.model_dump(mode="json", exclude={"waivers", "attestations"}, exclude_defaults=True)


def _lines(values: dict[str, Any]) -> list[str]:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True).splitlines()
