"""The site that a drill restores: the saved one, on one machine, without ways to the outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import EVALUATION, Site
from ucontact_appliance.site.values import LOCAL

RELEASE = "release-of-backup.tar.gz"
# In a copy, these would log in to providers, ring phones, load drivers, or store backups.
_SECTIONS = ("backup", "network", "database_on", "attestations")
_TELEPHONY = ("trunks", "cards", "phones", "routes", "inbound", "emergency")
_REASON = "a copy of the site in a drill"


def site_of_drill(text: str, host: Mapping[str, Any], files: Mapping[str, str], until: date) -> str:
    """Return the text of site.yml for the copy on that host.

    `files` has the new path of each file that site.yml names. `until` is a day after the drill.
    """
    rule = load_data("backup")["drill"]
    document = yaml.safe_load(text)
    document = {key: value for key, value in document.items() if key not in _SECTIONS}
    document["agents"] = min(document["agents"], rule["agents"])
    document["hosts"] = [dict(host)]
    if document.get("release", EVALUATION) != EVALUATION:
        document["release"] = RELEASE
    telephony = document.get("telephony") or {}
    document["telephony"] = {
        key: value for key, value in telephony.items() if key not in _TELEPHONY
    }
    for queue in document["telephony"].get("queues", ()):
        queue.pop("overflow", None)  # it may name a telephone at a card
    # The disk is the one of this machine, whose other files would cost the copy its recordings.
    recordings = document.get("recordings") or {}
    document["recordings"] = {**recordings, "keep_free_percent": 0}
    kept = {row["check"]: row for row in document.get("waivers") or ()}
    document["waivers"] = [
        *({key: row[key] for key in ("check", "reason", "until")} for row in kept.values()),
        *(
            {"check": name, "reason": _REASON, "until": until}
            for name in rule["waived"]
            if name not in kept
        ),
    ]
    return yaml.safe_dump(_renamed(document, files), sort_keys=False, allow_unicode=True)


def left_out(site: Site) -> tuple[Message, ...]:
    """Return what of this site a drill does not restore, for a person."""
    telephony = site.telephony
    found = [
        (len(site.hosts) > 1, _("its servers: all roles are put on one machine")),
        (bool(telephony.trunks), _("trunks and gateways")),
        (bool(telephony.cards), _("telephony cards")),
        (bool(telephony.phones), _("hardphones")),
        (bool(telephony.inbound), _("incoming numbers")),
    ]
    return tuple(told for true, told in found if true)


def needed_disk_mb(octets: Mapping[Role, int]) -> int:
    """Return the megabytes that the restored data and the machine take; octets by role."""
    rule = load_data("backup")["drill"]
    times = {Role.DATABASE: int(rule["database_times"])}
    data = sum(size * times.get(role, 1) for role, size in octets.items())
    return int(rule["disk_mb"]) + data // 1_000_000


def addresses_of_site(sites: Iterable[Site]) -> tuple[str, ...]:
    """Return the servers, providers and gateways of these sites, as site.yml names them."""
    found: dict[str, None] = {}
    for site in sites:
        found |= dict.fromkeys(one.address for one in site.hosts if one.address != LOCAL)
        found |= dict.fromkeys(one.host for one in site.telephony.trunks if one.host is not None)
        found[site.fqdn] = None
        if site.network.public_address is not None:
            found[site.network.public_address] = None
    return tuple(found)


def _renamed(value: Any, files: Mapping[str, str]) -> Any:
    """Return the document with the paths of `files` replaced, wherever they are."""
    if isinstance(value, dict):
        return {key: _renamed(inner, files) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, files) for inner in value]
    return files.get(str(Path(value)), value) if isinstance(value, str) else value
