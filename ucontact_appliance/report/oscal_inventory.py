"""The assessed servers and the assessing tool in OSCAL."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from ucontact_appliance.report.known import judged_facts
from ucontact_appliance.report.model import Report, ReportedHost
from ucontact_appliance.report.oscal_parts import Json, host_uuid, line, prop, run_uuid, tool_uuid
from ucontact_appliance.report.text import one_line


def inventory(report: Report) -> list[Json]:
    """Return all servers, also those in findings or the feed only, as subjects of observations."""
    named = {host.name: _server(report, host) for host in report.hosts}
    judged = dict(report.vulnerabilities.hosts) if report.vulnerabilities else {}
    for name in (*(finding.host for finding in report.findings), *judged):
        named.setdefault(name, _stranger(report, name))
    for name, one in judged.items():
        facts = [prop(*fact) for fact in judged_facts(one)]
        named[name] = named[name] | {"props": [*named[name].get("props", ()), *facts]}
    return list(named.values())


def _server(report: Report, host: ReportedHost) -> Json:
    return {
        "uuid": host_uuid(report, host.name),
        "description": f"Server {line(host.name)}: {line(', '.join(host.roles))}",
        "props": [
            {"name": "asset-id", "value": one_line(host.name)},
            *([_address(host.address)] if host.address.strip() else []),
            *([{"name": "os-name", "value": one_line(host.system)}] if host.system.strip() else []),
            prop("memory-mb", str(host.memory_mb)),
            *(prop("role", role) for role in host.roles),
        ],
    }


def _stranger(report: Report, name: str) -> Json:
    return {"uuid": host_uuid(report, name), "description": f"Server {line(name)}"}


def _address(address: str) -> Json:
    try:
        kinds = {IPv4Address: "ipv4-address", IPv6Address: "ipv6-address"}
        name = kinds[type(ip_address(address))]
    except ValueError:
        name = "fqdn"
    return {"name": name, "value": one_line(address)}


def assets(report: Report) -> Json:
    """Return the appliance as the software that assesses."""
    tool = tool_uuid(report)
    return {
        "components": [
            {
                "uuid": tool,
                "type": "software",
                "title": "uContact appliance",
                "description": "It installs a site, looks at it, and judges by checks.",
                "props": [{"name": "version", "value": one_line(report.appliance)}],
                "status": {"state": "operational"},
            }
        ],
        "assessment-platforms": [
            {
                "uuid": run_uuid(report, "platform"),
                "title": "The machine that installs",
                "uses-components": [{"component-uuid": tool}],
            }
        ],
    }
