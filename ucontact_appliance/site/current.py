"""Find the site of a command that names none: ./site.yml, else the one installed last."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ucontact_appliance.site.files import private_dir
from ucontact_appliance.state import etc_root

SITE_FILE = "site.yml"


def installed_site_file() -> Path:
    """The machine's site file: a customer's file, or a link to the one installed last."""
    return etc_root() / SITE_FILE


def find_site_file() -> Path | None:
    """`./site.yml`, else the machine's site; None if there is neither."""
    here = Path(SITE_FILE)
    return next((path for path in (here, installed_site_file()) if path.exists()), None)


def remember_site(site_file: Path) -> None:
    """Link the machine's site to this file; a customer's own file there is kept."""
    link, target = installed_site_file(), site_file.resolve()
    if link.exists() and not link.is_symlink():
        return
    private_dir(link.parent)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=link.parent) as folder:
        fresh = Path(folder) / SITE_FILE
        fresh.symlink_to(target)
        fresh.replace(link)
