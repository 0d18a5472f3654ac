"""Map files outside docs/ to pages of the site, and rewrite links between pages accordingly."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The page of each file outside docs/.
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
    """Return the page's text with each relative link rewritten for the site.

    A link to a file without a page becomes plain text. A link to a file that does not exist is
    kept, for the strict build to report.
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
