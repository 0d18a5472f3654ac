"""Files outside docs/ as pages of the site, and links between pages as the site has them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The page that each file outside docs/ becomes.
PAGES = {
    "README.md": "index.md",
    "README.es.md": "es/index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
_SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def relinked(markdown: str, page: str) -> str:
    """Return the page's text with each relative link as the site has it.

    A link to a file that the site has no page of becomes its text alone. One to a file that does
    not exist stays as it is, for the strict build to find.
    """
    source = _SOURCES.get(page, f"docs/{page}")

    def replaced(link: re.Match[str]) -> str:
        image, text, target, anchor = link.groups(default="")
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if not (ROOT / path).exists():
            return link[0]
        here = PAGES.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        if not here or (ROOT / path).is_dir():
            return text
        return f"{image}[{text}]({posixpath.relpath(here, posixpath.dirname(page) or '.')}{anchor})"

    return _LINK.sub(replaced, markdown)
