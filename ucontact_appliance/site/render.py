"""`site.yml` as text, with its comments, from a few answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import jinja2
import yaml

from ucontact_appliance.resources import TEMPLATES


def render_site(answers: Mapping[str, Any]) -> str:
    """The text of a site file.

    `answers` has site, fqdn, agents, hosts, certificate, network, extensions, trunks and
    retention_days as the site model knows them; every text is quoted, so none can break out.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # YAML, not HTML; values pass through the filter below
        keep_trailing_newline=True,
    )
    # Jinja's own filter of that name would escape for HTML.
    environment.filters["tojson"] = _yaml_scalar
    return environment.get_template("site.yml.j2").render(**answers)


def _yaml_scalar(value: object) -> str:
    """A text or a list of texts in double quotes; a number or a truth value as it is."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    quoted = yaml.safe_dump(
        value, default_style='"', default_flow_style=True, allow_unicode=True, width=math.inf
    )
    return str(quoted).strip()
