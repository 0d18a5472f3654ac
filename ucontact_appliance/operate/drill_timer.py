"""The timer of a site's drills on this machine, as often as site.yml says."""

from __future__ import annotations

from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.timer import (
    UNITS,
    Timer,
    install_units,
    remove_units,
    timer_of,
    units_of,
)
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.backup import NEVER
from ucontact_appliance.site.model import Site


def install_drill_timer(site: Site, site_file: Path, units: Path = UNITS) -> Timer:
    """Install and start the timer. Raises UsageError where site.yml wants no drills."""
    every = NEVER if site.backup is None else site.backup.drill.every
    if every == NEVER:
        raise UsageError(
            _("site.yml does not say how often a drill runs"),
            evidence=_("{path}: 'drill' below 'backup' is '{every}'", path=site_file, every=NEVER),
            helps=_("add to 'backup' the section 'drill', with 'every: monthly'"),
        )
    name = drill_unit(site.site)
    calendar = load_data("backup")["drill"]["at"].get(every, every)
    words = ("backup", "drill", "--site", str(site_file))
    values = {"site": site.site, "calendar": calendar}
    return install_units(name, units_of(name, "ucontact-drill", words, values), units)


def remove_drill_timer(site: str, units: Path = UNITS) -> bool:
    """Stop the timer and remove its files; return whether there was one."""
    return remove_units(drill_unit(site), units)


def find_drill_timer(site: str, units: Path = UNITS) -> Timer | None:
    """Return the timer; None without one. Raises UnreachableError if systemctl fails."""
    name = drill_unit(site)
    return timer_of(name) if (units / f"{name}.timer").exists() else None


def drill_unit(site: str) -> str:
    """Return the name of a site's service and timer, without the suffix."""
    return f"ucontact-drill-{site}"
