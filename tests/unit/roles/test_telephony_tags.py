"""Whatever an extension decides in the role telephony is done by the tasks for extensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.resources import ROLES

_ROLE = ROLES / "telephony"
_TEMPLATES = _ROLE / "templates"
_VARIABLE = "telephony_extensions"


def _tasks() -> Iterator[Mapping[str, Any]]:
    for path in sorted((_ROLE / "tasks").glob("*.yml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))


def _written(task: Mapping[str, Any]) -> set[str]:
    """The paths that a task of etc_tree names itself."""
    entries = task.get("etc_tree", {}).get("entries", [])
    if not isinstance(entries, list):
        return set()
    return {path for entry in entries for path in entry.get("paths", [entry.get("path")])}


def test_tasks_for_extensions_have_their_tag() -> None:
    part = phases()["telephony"].playbook.part
    assert part is not None
    tagged = [task for task in _tasks() if part.tag in task.get("tags", [])]
    concerned = {
        f"/{path.relative_to(_TEMPLATES).with_suffix('')}"
        for path in _TEMPLATES.rglob("*.j2")
        if _VARIABLE in path.read_text(encoding="utf-8")
    }
    assert concerned == set().union(*map(_written, tagged))
    naming = [
        task["name"] for task in _tasks() if _VARIABLE in str({**task, "tags": [], "name": ""})
    ]
    assert set(naming) <= {task["name"] for task in tagged}
    assert naming
    assert _VARIABLE not in (_ROLE / "vars/main.yml").read_text(encoding="utf-8")
