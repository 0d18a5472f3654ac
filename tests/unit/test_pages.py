"""The pages that are made from code and tables are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import pages
from tests.roles_reference import readmes
from ucontact_appliance.resources import ROLES, ROOT

_PAGES = pages()


@pytest.mark.parametrize("path", _PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_made_page_is_up_to_date(path: Path) -> None:
    # mend it with: make docs
    assert path.read_text(encoding="utf-8") == _PAGES[path]


def test_every_role_has_a_page_that_tells_each_parameter() -> None:
    found = readmes()
    assert {path.parent for path in found} == {path for path in ROLES.iterdir() if path.is_dir()}
    page = found[ROLES / "stun/README.md"]
    assert "| `stun_realm` | str | required | Realm of the credentials" in page
    assert "| `stun_port` | int | `3478` |" in page
