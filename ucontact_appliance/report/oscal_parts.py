"""What all parts of an OSCAL document are made of: properties, Markdown text and UUIDs."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.report.exhibits import Method
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.text import one_line

# What a property of ours means is ours to say (OSCAL, property: ns).
NAMESPACE = "urn:ucontact:oscal:1"

# The three methods of NIST SP 800-53A; where nothing was asked of a host there is none to name.
METHODS = {Method.PROBED: "TEST", Method.READ: "EXAMINE", Method.ATTESTED: "INTERVIEW"}
NO_METHOD = "UNKNOWN"

# What Markdown would read as more than text: a backslash before it makes it text again
# (CommonMark 2.4). An underscore within a word and a single brace mean nothing.
_MARKUP = re.compile(r"[\\`*~^\[\]<>&]|\{(?=\{)|(?<!\w)_|_(?!\w)")

Json = dict[str, Any]


def origin(report: Report) -> Json:
    """The appliance as the tool that observed."""
    return {"actors": [{"type": "tool", "actor-uuid": tool_uuid(report)}]}


def prop(name: str, value: str) -> Json:
    """A property of ours; OSCAL has no empty value."""
    return {"name": name, "ns": NAMESPACE, "value": one_line(value) or "none"}


def line(text: str) -> str:
    """Anything as one line of Markdown that shows it literally."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def _uuid(*names: str) -> str:
    return str(uuid5(NAMESPACE_URL, json.dumps([NAMESPACE, *names])))


def run_uuid(report: Report, *names: str) -> str:
    """Of something that belongs to this one run."""
    return _uuid(report.site, report.time, *names)


def observation_uuid(report: Report, finding: Finding) -> str:
    """Of the observation of a finding."""
    return run_uuid(report, "observation", finding.host, finding.id)


def host_uuid(report: Report, name: str) -> str:
    """Of a server: the same in each report, as a UUID stands for a subject."""
    return _uuid(report.site, "host", name)


def tool_uuid(report: Report) -> str:
    """Of this version of the appliance."""
    return _uuid("appliance", report.appliance)


def plan_uuid(report: Report) -> str:
    """Of this version's catalogue of checks."""
    return _uuid("checks", report.appliance)
