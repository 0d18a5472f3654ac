"""`make docs`: the pages that are made from code and tables."""

from __future__ import annotations

from pathlib import Path

from tests import checks_reference, components_reference, roles_reference
from ucontact_appliance.resources import ROOT
from ucontact_appliance.site import reference as site_reference


def pages() -> dict[Path, str]:
    """Return what each page has to say, by its path."""
    docs = ROOT / "docs"
    return {
        docs / "checks.md": checks_reference.reference(),
        docs / "components.md": components_reference.reference(),
        docs / "site-file.md": site_reference.reference(),
        **roles_reference.readmes(),
    }


def main() -> None:
    """Write them."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
