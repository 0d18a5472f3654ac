"""A unit of systemd: is it there, does it run, will it come back."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.facts.source import Reach

_PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Result")


@dataclass(frozen=True)
class Unit:
    """What `systemctl show` says of a unit, in systemd's own words; `text` is the whole answer."""

    name: str
    loaded: str
    active: str
    sub: str
    enabled: str
    result: str
    text: str

    @property
    def evidence(self) -> str:
        """The exchange as in a terminal."""
        return f"$ systemctl show {self.name}\n{self.text.strip()}"


def unit(reach: Reach, name: str) -> Unit:
    """Ask systemd for the unit of that name."""
    words = [part for name_ in _PROPERTIES for part in ("-p", name_)]
    return parse_unit(name, reach.runner.run(["systemctl", "show", name, *words]).stdout)


def parse_unit(name: str, text: str) -> Unit:
    """The lines `Property=value`; a property that is missing is empty."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    loaded, active, sub, enabled, result = (found.get(key, "") for key in _PROPERTIES)
    return Unit(name, loaded, active, sub, enabled, result, text)
