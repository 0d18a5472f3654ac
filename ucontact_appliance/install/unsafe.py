"""Values as data for Ansible, which takes a plain string of an inventory for a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_data(value: Any) -> Any:
    """The value with every string in it marked as data, as Ansible's JSON decoder knows it.

    Ansible renders a string that is not marked on the machine that installs, as root: one that
    came from a host, a file or a person could run commands there. Keys are never rendered.
    """
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, Mapping):
        return {key: as_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(inner) for inner in value]
    return value
