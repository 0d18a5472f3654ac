"""Hatchling's build hook: compiles the translations, and puts the evaluation release into a wheel.

The release is only in a wheel that `make wheel` builds; one built in another way, and an editable
installation, carry none. The catalogues are compiled beside their sources for all of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCALES = "ucontact_appliance/language/locale"
VARIABLE = "UCONTACT_WHEEL_RELEASES"  # the folder that installer/wheel.py has filled


class ReleaseHook(BuildHookInterface[Any]):
    """Compiles the catalogues, and adds the release's folder to the files of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the .mo files; map the folder to its place in the package, where there is one."""
        for source in sorted(Path(self.root, LOCALES).glob("*/LC_MESSAGES/*.po")):
            with source.open("rb") as read, source.with_suffix(".mo").open("wb") as written:
                write_mo(written, read_po(read, locale=source.parts[-3], domain=source.stem))
        folder = os.environ.get(VARIABLE)
        if folder and version == "standard":
            build_data["force_include"][folder] = "ucontact_appliance/_bundle/releases"
