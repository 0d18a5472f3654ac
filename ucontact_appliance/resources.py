"""Paths of the appliance's own files, in a checkout or an installed wheel."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

PACKAGE = Path(str(resources.files(__package__)))
_BUNDLE = PACKAGE / "_bundle"
INSTALLED = _BUNDLE.is_dir()  # from a wheel; else this is a checkout
ROOT = _BUNDLE if INSTALLED else PACKAGE.parent

INSTALLER = ROOT / "installer"
ROLES = ROOT / "roles"
TEMPLATES = ROOT / "templates"
DATA = PACKAGE / "data"


# The safe loader in C is ten times as fast, but not every build of PyYAML has it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_data(name: str) -> Any:
    """Return the parsed table `data/NAME.yml`; NAME may contain folders."""
    return yaml.load((DATA / f"{name}.yml").read_text(encoding="utf-8"), Loader=_Loader)
