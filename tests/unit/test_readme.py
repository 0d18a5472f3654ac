"""The pages in Spanish show the commands of the English ones, and these exist."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.unit.cli.test_examples import at
from ucontact_appliance.resources import ROOT


def commands(name: str) -> list[str]:
    """The lines of its code blocks, without their comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line.partition(" #")[0].rstrip() for block in blocks for line in block.splitlines()]


PAGES = {
    "README.md": "README.es.md",
    "docs/installer.md": "docs/es/instalador.md",
    "docs/operator.md": "docs/es/operador.md",
}


@pytest.mark.parametrize(("english", "spanish"), PAGES.items())
def test_both_show_the_same_commands(english: str, spanish: str) -> None:
    shown = commands(english)
    assert len(shown) > 8
    assert commands(spanish) == shown


@pytest.mark.parametrize("page", PAGES)
def test_the_options_that_a_page_shows_exist(page: str) -> None:
    for line in commands(page):
        words = shlex.split(line.partition(" -- ")[0])
        if words[:1] != ["ucontact"]:
            continue
        known = {name for one in at(words).params for name in (*one.opts, *one.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize(("english", "spanish"), PAGES.items())
def test_both_have_the_same_sections_and_tables(english: str, spanish: str) -> None:
    def shape(page: str) -> list[str]:
        text = (ROOT / page).read_text(encoding="utf-8")
        return re.findall(r"^(?:#+ |\||\d\. |- |!\[)", text, re.MULTILINE)

    assert shape(spanish) == shape(english)
