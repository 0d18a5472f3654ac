"""Mark values as data for Ansible, which renders plain strings of an inventory as templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_data(value: Any) -> Any:
    """Return the value with every string marked as unsafe, in the form of Ansible's JSON decoder.

    Ansible renders unmarked strings on the installing machine, as root: a string from a host, a
    file or a person could run commands there. Keys are never rendered.
    """
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, Mapping):
        return {key: as_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(inner) for inner in value]
    return value
