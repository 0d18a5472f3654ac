"""The programs of roles as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ucontact_appliance.resources import ROLES

_BELOW = "files/usr/local/lib/ucontact"
FOLDER = ROLES / "telephony" / _BELOW


def telephony_service(name: str) -> ModuleType:
    """The service of that file, loaded as the server loads it: its folder is on the path."""
    return _loaded(name, FOLDER)


def backup_program(name: str) -> ModuleType:
    """A program or module of the role backup."""
    return _loaded(name, ROLES / "backup" / _BELOW)


def _loaded(name: str, folder: Path) -> ModuleType:
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location(name.replace("-", "_"), folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module
