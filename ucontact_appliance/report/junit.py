"""Findings as JUnit XML, for pipelines: a suite a host, a case a check."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.report.text import clean


def to_junit(site: str, time: str, findings: Sequence[Finding]) -> bytes:
    """The document; `time` is ISO 8601.

    A failure is one, an error is one, what was skipped or waived is skipped, with the reason; a
    warning passes, and says so in its output.
    """
    root = ElementTree.Element("testsuites", name=f"ucontact {site}")
    for host in dict.fromkeys(finding.host for finding in findings):
        mine = [finding for finding in findings if finding.host == host]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=host,
            timestamp=time.partition("+")[0],
            tests=str(len(mine)),
            failures=str(sum(_outcome(one) == "failure" for one in mine)),
            errors=str(sum(_outcome(one) == "error" for one in mine)),
            skipped=str(sum(_outcome(one) == "skipped" for one in mine)),
            time=f"{sum(one.seconds for one in mine):.3f}",
        )
        for finding in mine:
            _case(suite, finding)
    ElementTree.indent(root)
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _outcome(finding: Finding) -> str:
    if finding.waived is not None or finding.verdict is Verdict.SKIP:
        return "skipped"
    return {Verdict.FAIL: "failure", Verdict.ERROR: "error"}.get(finding.verdict, "")


def _case(suite: ElementTree.Element, finding: Finding) -> None:
    subject = finding.id.rpartition(".")[0]
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=f"{finding.id}: {clean(finding.title)}",
        classname=f"ucontact.{subject}",
        time=f"{finding.seconds:.3f}",
    )
    outcome = _outcome(finding)
    told = finding.waived.reason if finding.waived else finding.observed
    if outcome:
        made = ElementTree.SubElement(case, outcome, message=clean(told))
        if outcome != "skipped":
            made.set("type", finding.severity.value)
            made.text = clean(
                f"observed: {finding.observed}\nrequired: {finding.required}\n"
                f"remedy: {finding.remedy}\n{finding.evidence}"
            )
    elif finding.verdict is Verdict.WARN:
        ElementTree.SubElement(case, "system-out").text = clean(f"warning: {finding.observed}")
