"""The pages in Spanish show commands that there are."""

from __future__ import annotations

import re

from ucontact_appliance.resources import ROOT


def commands(name: str) -> list[str]:
    """The lines of its code blocks, without their comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line.partition(" #")[0].rstrip() for block in blocks for line in block.splitlines()]


def test_the_operators_guide_shows_commands_of_the_english_pages() -> None:
    english = {line for page in ("README.md", "docs/doctor.md") for line in commands(page)}
    shown = [line for line in commands("docs/es/operador.md") if line.startswith("ucontact")]
    assert len(shown) > 15
    assert set(shown) - english <= {
        "ucontact doctor --all",
        "ucontact doctor history",
        "ucontact doctor --json",
    }


def test_both_show_the_same_commands() -> None:
    shown = commands("README.md")
    assert len(shown) > 25
    assert commands("README.es.md") == shown
