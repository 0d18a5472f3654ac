"""The documentation's site: every page is in it, and links lead where the pages are.

Building it, strictly, is a step of CI of its own: `make site`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from ucontact_appliance.resources import INSTALLER, ROOT


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the hooks that needs no MkDocs."""
    monkeypatch.syspath_prepend(str(INSTALLER))
    return importlib.import_module("site_links")


@pytest.fixture
def relinked(links: Any) -> Callable[[str, str], str]:
    return links.relinked


def named(nav: Any) -> Iterator[str]:
    """The pages of a navigation, at whatever depth."""
    if isinstance(nav, str):
        yield nav
    else:
        for below in nav.values() if isinstance(nav, dict) else nav:
            yield from named(below)


def test_the_navigation_names_every_page_once(links: Any) -> None:
    pages = list(named(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    docs = ROOT / "docs"
    there = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert sorted(pages) == sorted({*there, *links.PAGES.values(), "commands.md"})


@pytest.mark.parametrize(
    ("page", "text", "shown"),
    [
        ("index.md", "[a](docs/checks.md#tls)", "[a](checks.md#tls)"),
        ("index.md", "![a](docs/images/softphone.png)", "![a](images/softphone.png)"),
        ("index.md", "[es](README.es.md)", "[es](es/index.md)"),
        ("es/index.md", "[en](README.md#more)", "[en](../index.md#more)"),
        ("es/index.md", "[guía](docs/es/operador.md)", "[guía](operador.md)"),
        ("contributing.md", "[a](docs/languages.md)", "[a](languages.md)"),
        ("es/operador.md", "[a](../checks.md)", "[a](../checks.md)"),
        ("profile.md", "[`hardware.py`](../installer/probes/hardware.py)", "`hardware.py`"),
        ("index.md", "[examples](inventory/)", "examples"),
        ("index.md", "[a](https://example.com/x)", "[a](https://example.com/x)"),
        ("index.md", "[a](docs/gone.md)", "[a](docs/gone.md)"),  # for the strict build to find
    ],
)
def test_links_lead_to_the_pages_of_the_site(
    relinked: Callable[[str, str], str], page: str, text: str, shown: str
) -> None:
    assert relinked(text, page) == shown


def test_ci_builds_it() -> None:
    assert "\nmake site\n" in (ROOT / ".ci/run").read_text()
