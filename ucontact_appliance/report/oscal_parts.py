"""Building blocks of an OSCAL document: properties, Markdown text and UUIDs."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.report.exhibits import Method
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.text import one_line

# The namespace of the appliance's own properties (OSCAL, property: ns).
NAMESPACE = "urn:ucontact:oscal:1"

# The three methods of NIST SP 800-53A; none of them applies if nothing was asked of a host.
METHODS = {Method.PROBED: "TEST", Method.READ: "EXAMINE", Method.ATTESTED: "INTERVIEW"}
NO_METHOD = "UNKNOWN"

# The special characters of Markdown, which a backslash makes literal (CommonMark 2.4). An
# underscore within a word and a single brace are literal already.
_MARKUP = re.compile(r"[\\`*~^\[\]<>&]|\{(?=\{)|(?<!\w)_|_(?!\w)")

Json = dict[str, Any]


def origin(report: Report) -> Json:
    """Return the origin of an observation: the appliance as a tool."""
    return {"actors": [{"type": "tool", "actor-uuid": tool_uuid(report)}]}


def prop(name: str, value: str) -> Json:
    """Return a property in our namespace; an empty value becomes 'none', as OSCAL forbids it."""
    return {"name": name, "ns": NAMESPACE, "value": one_line(value) or "none"}


def line(text: str) -> str:
    """Return the text as one line of Markdown that shows it literally."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def _uuid(*names: str) -> str:
    return str(uuid5(NAMESPACE_URL, json.dumps([NAMESPACE, *names])))


def run_uuid(report: Report, *names: str) -> str:
    """Return the UUID of an object of this run."""
    return _uuid(report.site, report.time, *names)


def observation_uuid(report: Report, finding: Finding) -> str:
    """Return the UUID of a finding's observation."""
    return run_uuid(report, "observation", finding.host, finding.id)


def host_uuid(report: Report, name: str) -> str:
    """Return the UUID of a server; it is the same in each report, as it identifies the subject."""
    return _uuid(report.site, "host", name)


def tool_uuid(report: Report) -> str:
    """Return the UUID of this version of the appliance."""
    return _uuid("appliance", report.appliance)


def plan_uuid(report: Report) -> str:
    """Return the UUID of this version's catalogue of checks."""
    return _uuid("checks", report.appliance)
