"""The README in Spanish shows the same commands as the one in English."""

from __future__ import annotations

import re

from ucontact_appliance.resources import ROOT


def commands(name: str) -> list[str]:
    """The lines of its code blocks, without their comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line.partition(" #")[0].rstrip() for block in blocks for line in block.splitlines()]


def test_both_show_the_same_commands() -> None:
    shown = commands("README.md")
    assert len(shown) > 25
    assert commands("README.es.md") == shown
