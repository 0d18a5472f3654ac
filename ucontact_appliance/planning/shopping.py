"""Hardware to buy for a site before it has servers: cores, memory and disk per server. No I/O.

Figures are what a plan for that many agents needs, with the headroom of data/hardware.yml, and
at least what R12's sizes and the vendor's pages require.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

from ucontact_appliance.language.fields import Text
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.capacity_model import (
    EstimateBasis,
    basis,
    on_reference,
    telephony_server,
)
from ucontact_appliance.planning.demand import cores_needed, memory_needed_mb
from ucontact_appliance.planning.model import Plan, PlannedHost, Role
from ucontact_appliance.planning.reasons import recordings_kept_gb
from ucontact_appliance.planning.tables import hardware, tuning
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site

_MEMORY_STEP_MB = 4096  # memory modules come in such sizes
_DISK_STEP_GB = 10
_BASES = {
    EstimateBasis.MEASURED: _("within the measured load"),
    EstimateBasis.EXTRAPOLATED: _("extrapolated from the measured load"),
    EstimateBasis.BEYOND: _("beyond what one Asterisk is known to carry"),
}
_BYTES_PER_MB = 1024 * 1024
_BYTES_PER_GB = 1000**3  # disks are sold by the decimal GB


class ServerToBuy(BaseModel):
    """One server: `server` is its position in site.yml, `host` its name there.

    `because` has one sentence each for cores, memory and disk; `note` is what the buyer must know
    before, or empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: int
    host: str
    roles: tuple[Role, ...]
    cores: int
    memory_bytes: int
    disk_bytes: int
    because: tuple[Text, Text, Text]
    note: Text = ""


def shopping_list(site: Site) -> tuple[ServerToBuy, ...]:
    """What to buy for each server of the site, regardless of its present servers."""
    plan = make_plan(site, {})
    return tuple(_server(site, plan, number, host) for number, host in enumerate(plan.hosts, 1))


def _server(site: Site, plan: Plan, number: int, host: PlannedHost) -> ServerToBuy:
    cores, cores_because = _cores(plan, host)
    memory_mb, memory_because = _memory(plan, host)
    disk_gb, disk_because = _disk(site, host)
    return ServerToBuy(
        server=number,
        host=host.name,
        roles=host.roles,
        cores=cores,
        memory_bytes=memory_mb * _BYTES_PER_MB,
        disk_bytes=disk_gb * _BYTES_PER_GB,
        because=(cores_because, memory_because, disk_because),
        note=_note(plan, host),
    )


def _cores(plan: Plan, host: PlannedHost) -> tuple[int, str]:
    least = int(_least(plan)["threads"])
    if Role.TELEPHONY not in host.roles:
        return least, _(
            "{least} for a {size} site; the demand of these roles was not measured",
            least=least,
            size=plan.size.value,
        )
    needed = math.ceil(cores_needed(plan, host))
    known = basis(plan.tuning.telephony.max_calls)
    return max(least, needed), _(
        "{calls} recorded calls x {percent:.2f} % of a core x {headroom} headroom: "
        "{needed} ({basis}); at least {least} for a {size} site",
        calls=plan.tuning.telephony.max_calls,
        percent=on_reference("recorded"),
        headroom=hardware()["processor"]["headroom"],
        needed=needed,
        basis=_BASES[known],
        least=least,
        size=plan.size.value,
    )


def _memory(plan: Plan, host: PlannedHost) -> tuple[int, str]:
    needed = memory_needed_mb(plan.tuning, host.roles)
    least, vendor = int(_least(plan)["memory_mb"]), int(hardware()["memory"]["vendor_mb"])
    steps = math.ceil(max(needed, least, vendor) / _MEMORY_STEP_MB)
    return steps * _MEMORY_STEP_MB, _(
        "the plan needs {needed} MB; the vendor's pages state {vendor} MB, at least "
        "{least} MB for a {size} site",
        needed=needed,
        vendor=vendor,
        least=least,
        size=plan.size.value,
    )


def _disk(site: Site, host: PlannedHost) -> tuple[int, str]:
    disk = hardware()["disk"]
    least = int(disk["vendor_gb"])
    if Role.TELEPHONY not in host.roles:
        return least, (
            _(
                "the vendor's pages state {least} GB; how fast the database grows was not measured",
                least=least,
            )
            if Role.DATABASE in host.roles
            else _("the vendor's pages state {least} GB", least=least)
        )
    days = site.recordings.retention_days
    recordings = recordings_kept_gb(site)
    releases = disk["install_gb"] + disk["update_gb"]
    needed = (recordings + releases) / (1 - disk["low_percent"] / 100)
    steps = math.ceil(max(needed, least) / _DISK_STEP_GB)
    return steps * _DISK_STEP_GB, _(
        "{days} days of recordings take {recordings:.0f} GB, releases {releases} GB, "
        "and {free} % stays free: {needed:.0f} GB; the vendor's pages state {least} GB",
        days=days,
        recordings=recordings,
        releases=releases,
        free=disk["low_percent"],
        needed=needed,
        least=least,
    )


def _note(plan: Plan, host: PlannedHost) -> str:
    if Role.TELEPHONY not in host.roles:
        return ""
    server = telephony_server()
    if basis(plan.tuning.telephony.max_calls) is EstimateBasis.BEYOND:
        return _(
            "no server can carry this load: one Asterisk is planned for at most "
            "{calls} simultaneous calls, and several telephony servers in one site are "
            "not supported",
            calls=server.ceiling_calls,
        )
    return _("not measured: {what}", what=server.unmeasured)


def _least(plan: Plan) -> dict[str, int]:
    """The minimum for each server of a site of this size."""
    found: dict[str, int] = tuning()["least_host"][plan.size.value]
    return found
