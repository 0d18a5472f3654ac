"""The services of the role telephony as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from ucontact_appliance.resources import ROLES

FOLDER = ROLES / "telephony/files/usr/local/lib/ucontact"


def telephony_service(name: str) -> ModuleType:
    """The service of that file, loaded as the server loads it: its folder is on the path."""
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(name.replace("-", "_"), FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module
