"""A systemd unit: whether it exists, is running, and is enabled at boot."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.facts.source import ProbeContext

_PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Result")


@dataclass(frozen=True)
class Unit:
    """The properties of a unit in `systemctl show`, as printed; `text` is the whole answer."""

    name: str
    loaded: str
    active: str
    sub: str
    enabled: str
    result: str
    text: str

    @property
    def evidence(self) -> str:
        """The command and its output as a terminal would show them."""
        return f"$ systemctl show {self.name}\n{self.text.strip()}"


def unit(reach: ProbeContext, name: str) -> Unit:
    """Read the unit of that name from systemd."""
    words = [part for name_ in _PROPERTIES for part in ("-p", name_)]
    return parse_unit(name, reach.runner.run(["systemctl", "show", name, *words]).stdout)


def parse_unit(name: str, text: str) -> Unit:
    """Parse lines of `Property=value`; a missing property is empty."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    loaded, active, sub, enabled, result = (found.get(key, "") for key in _PROPERTIES)
    return Unit(name, loaded, active, sub, enabled, result, text)
