"""Our module_utils, where Ansible puts them for a module."""

from __future__ import annotations

import importlib
from types import ModuleType

import ansible.module_utils

from ucontact_appliance.resources import INSTALLER

_FOLDER = str(INSTALLER / "plugins" / "module_utils")


def module_utility(name: str) -> ModuleType:
    """Return that file of ours as `ansible.module_utils.NAME`."""
    if _FOLDER not in ansible.module_utils.__path__:
        ansible.module_utils.__path__.append(_FOLDER)
    return importlib.import_module(f"ansible.module_utils.{name}")
