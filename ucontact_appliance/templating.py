"""Render the appliance's own templates: an undefined variable is an error, never empty text."""

from __future__ import annotations

from typing import Any

import jinja2

from ucontact_appliance.resources import TEMPLATES


def environment(folder: str = "", *, html: bool = False, **more: Any) -> jinja2.Environment:
    """Return a Jinja environment for that folder of `templates/`; `html` turns on HTML escaping.

    A line with only a block tag leaves no line, and a template's final newline is kept.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / folder),
        undefined=jinja2.StrictUndefined,
        autoescape=html,
        **{"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True, **more},
    )
