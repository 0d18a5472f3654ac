"""Render `site.yml`, with comments, from a few answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import yaml

from ucontact_appliance.templating import environment


def render_site(answers: Mapping[str, Any]) -> str:
    """The text of a site file.

    `answers` has site, fqdn, agents, hosts, certificate, network, extensions, trunks and
    retention_days as in the site model; every text is quoted, so that none can inject YAML.
    """
    jinja = environment(trim_blocks=False, lstrip_blocks=False)  # the template trims by itself
    # Replaces Jinja's own filter of this name, which would escape for HTML.
    jinja.filters["tojson"] = _yaml_scalar
    return jinja.get_template("site.yml.j2").render(**answers)


def _yaml_scalar(value: object) -> str:
    """A text or a list of texts in double quotes; a number or a boolean unquoted."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    quoted = yaml.safe_dump(
        value, default_style='"', default_flow_style=True, allow_unicode=True, width=math.inf
    )
    return str(quoted).strip()
