"""Hatchling's build hook: puts the evaluation release into a wheel that `make wheel` builds.

A wheel built in another way, and an editable installation, carry none.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "UCONTACT_WHEEL_RELEASES"  # the folder that installer/wheel.py has filled


class ReleaseHook(BuildHookInterface[Any]):
    """Adds the folder to the files of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Map the folder to its place in the package, where there is one."""
        folder = os.environ.get(VARIABLE)
        if folder and version == "standard":
            build_data["force_include"][folder] = "ucontact_appliance/_bundle/releases"
