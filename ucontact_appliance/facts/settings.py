"""Settings in the site's own file, read as facts, so that a report shows what was judged."""

from __future__ import annotations

from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.site.model import Web
from ucontact_appliance.site.waivers import Waiver


def web(reach: ProbeContext) -> Web:
    """The header values that the site sets, or their defaults (R09, R10, R11)."""
    return reach.site.web


def waivers(reach: ProbeContext) -> tuple[Waiver, ...]:
    """The site's waivers."""
    return reach.site.waivers
