"""Rendering the appliance's own templates: an unknown name is an error, never an empty place."""

from __future__ import annotations

from typing import Any

import jinja2

from ucontact_appliance.resources import TEMPLATES


def environment(folder: str = "", *, html: bool = False, **more: Any) -> jinja2.Environment:
    """Return Jinja for the templates in that folder of `templates/`; `html` escapes for HTML.

    The lines of blocks leave nothing behind, and a text ends as its template does.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / folder),
        undefined=jinja2.StrictUndefined,
        autoescape=html,
        **{"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True, **more},
    )
