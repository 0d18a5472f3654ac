"""Sites that many tests start from."""

from __future__ import annotations

from typing import Any

from ucontact_appliance.planning.model import Plan
from ucontact_appliance.planning.topology import make_plan, site_for_agents
from ucontact_appliance.site.model import Site


def small_site(**changes: Any) -> Site:
    """A small site on one host, with some keys replaced."""
    values: dict[str, Any] = {
        "site": "demo",
        "fqdn": "contact.example.com",
        "agents": 10,
        "hosts": [{"name": "one", "address": "192.0.2.10"}],
    }
    return Site.model_validate(values | changes)


def plan_for_agents(agents: int) -> Plan:
    """The plan of a site of so many agents on servers that nobody has named yet."""
    return make_plan(site_for_agents(agents), {})
