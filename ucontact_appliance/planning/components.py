"""Load the components from data/components (one file per component) and check their consistency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import yaml
from pydantic import ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.planning.component import Component, RoleName
from ucontact_appliance.planning.tables import systems
from ucontact_appliance.resources import DATA, load_data

FOLDER = "components"


class ComponentError(ValueError):
    """An invalid file of data/components: the file, the key, and the reason."""

    def __init__(self, name: str, wrong: str) -> None:
        super().__init__(f"data/{FOLDER}/{name}.yml: {wrong}")


@cache
def components() -> tuple[Component, ...]:
    """Every component, by its `order`. Raises ComponentError for an invalid file."""
    names = sorted(path.stem for path in (DATA / FOLDER).glob("*.yml"))
    found = sorted(map(load_component, names), key=lambda one: one.order)
    demand_consistent(found)
    return tuple(found)


def components_of(*roles: RoleName) -> tuple[Component, ...]:
    """The components of these roles, by their `order`."""
    return tuple(one for one in components() if one.role in roles)


def load_component(name: str) -> Component:
    """The component of data/components/NAME.yml. Raises ComponentError."""
    try:
        return Component.model_validate({"name": name, **load_data(f"{FOLDER}/{name}")})
    except (ValidationError, yaml.YAMLError, TypeError) as error:
        raise ComponentError(name, why(error).replace("Value error, ", "")) from error


def demand_consistent(found: Sequence[Component]) -> None:
    """Raise ComponentError if components claim the same thing, or refer to something undefined."""
    for one, wrong in (*_claimed_twice(found), *_named_for_nothing(found)):
        raise ComponentError(one.name, wrong)


def _claimed_twice(found: Iterable[Component]) -> Iterator[tuple[Component, str]]:
    claimed: Counter[str] = Counter()
    for one in found:
        claims = [
            *(f"ports: {port.id}" for port in one.ports),
            *(f"units: {unit}" for unit in one.units),
            *(f"managed: {path}" for path in one.managed),
            *([f"playbook: {one.phase}"] if one.playbook else []),
        ]
        claimed.update(claims)
        yield from ((one, f"{claim} is there twice") for claim in claims if claimed[claim] > 1)


def _named_for_nothing(found: Sequence[Component]) -> Iterator[tuple[Component, str]]:
    phases = {one.phase for one in found if one.playbook}
    taken_over = {one.name for one in found if one.foreign}
    known = {system.name for system in systems()}
    for one in found:
        if one.phase and one.phase not in phases:
            yield one, f"phase: no component has the playbook of {one.phase}"
        if one.playbook and not phases.issuperset(one.playbook.after):
            yield one, f"playbook.after: not all are phases: {', '.join(one.playbook.after)}"
        if one.part_of and one.part_of not in taken_over:
            yield one, f"part_of: no component {one.part_of} can be taken over"
        for key, rows in one.packages.by_system():
            if rows.keys() != known:
                yield one, f"packages.{key}: not as in os.yml: {', '.join(rows.keys() ^ known)}"
