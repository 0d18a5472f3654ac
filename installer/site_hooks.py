"""Hooks of MkDocs for `make site`: pages of files outside docs/, their links, and the language.

README.md and similar files are written for a forge; in the site they are pages like those of docs/.
"""

from __future__ import annotations

import re
from typing import Any

import commands_page
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from site_links import PAGES, ROOT, relinked

# Tags whose files a browser loads by itself, unlike links that a reader follows.
_LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that docs/ does not have."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, "commands.md", content=commands_page.page()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the page with its links pointing within the site."""
    return relinked(markdown, page.file.src_uri)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Set the language of Spanish pages. Raises PluginError if a page loads from another host."""
    if loaded := _LOADED.findall(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {', '.join(loaded)}")
    if page.file.src_uri.startswith("es/"):
        return output.replace('<html lang="en"', '<html lang="es"', 1)
    return output
