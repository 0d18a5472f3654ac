"""`ucontact shell HOST` in the texts that people copy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_SHELL = re.compile(r"(?<![^\s(;|&])ucontact shell [A-Za-z0-9.-]+(?= --(?: |$)|$)")


def named_site(text: str, site_file: Path) -> str:
    """The text, in which each `ucontact shell HOST` that names no site file names that one."""
    option = shlex.join(["--site", str(site_file)])
    return _SHELL.sub(lambda found: " ".join((found[0], option)), text)
