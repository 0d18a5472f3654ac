"""Hatchling's build hook: compile the translations, and add the output of `make wheel`.

That is the evaluation release, and the manual pages and completions, which pip installs into the
environment's `share`. Wheels built otherwise and editable installations have neither of them; the
catalogues are compiled next to their sources for all of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCALES = "ucontact_appliance/language/locale"
# The folders that installer/wheel.py has filled.
RELEASES = "UCONTACT_WHEEL_RELEASES"
SHARE = "UCONTACT_WHEEL_SHARE"


class WheelHook(BuildHookInterface[Any]):
    """Compiles the message catalogues, and adds the folders to the files of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the .mo files; map each existing folder to its place in the wheel."""
        compile_catalogues(Path(self.root, LOCALES))
        if version != "standard":
            return
        if releases := os.environ.get(RELEASES):
            build_data["force_include"][releases] = "ucontact_appliance/_bundle/releases"
        if share := os.environ.get(SHARE):
            build_data["shared_data"][share] = "share"


def compile_catalogues(folder: Path) -> None:
    """Write each language's .mo next to its .po."""
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        with source.open("rb") as read, source.with_suffix(".mo").open("wb") as written:
            write_mo(written, read_po(read, locale=source.parts[-3], domain=source.stem))
