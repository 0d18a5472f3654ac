"""Add the site file to `ucontact shell HOST` in texts that people copy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_SHELL = re.compile(r"(?<![^\s(;|&])ucontact shell [A-Za-z0-9.-]+(?= --(?: |$)|$)")


def named_site(text: str, site_file: Path) -> str:
    """Return the text with `--site FILE` added to each `ucontact shell HOST` without one."""
    option = shlex.join(["--site", str(site_file)])
    return _SHELL.sub(lambda found: " ".join((found[0], option)), text)
