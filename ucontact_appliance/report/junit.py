"""Findings as JUnit XML, for pipelines: one suite per host, one case per check.

Known vulnerabilities follow in separate suites. They change no verdict of a report, so they are not
failures here: one that affects a server passes with a warning, like a check that warns.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.report.known import (
    TITLE,
    AffectedPackages,
    feed_facts,
    flaws,
    judged_facts,
    unjudged,
    unknown,
)
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.text import clean

_CLASS = "ucontact.vulnerabilities"


def report_to_junit(report: Report) -> bytes:
    """Return the document of a report: its findings and its known vulnerabilities.

    Failures and errors keep their kind; skipped and waived checks are skipped with the reason; a
    warning passes, and is shown in the output.
    """
    root = _root(report.site, report.time, report.findings)
    known = report.vulnerabilities
    if reason := unknown(known):
        # Without a feed nothing was judged: there is no case, and the suite's output says why.
        cases = 0 if known is None else 1
        suite = _suite(root, TITLE, report.time, cases, cases)
        _properties(suite, feed_facts(known))
        if known is None:
            ElementTree.SubElement(suite, "system-out").text = clean(reason)
        else:
            _skipped(suite, TITLE, reason)
    for host, judged in known.hosts if known else ():
        found = [one for one in flaws(known) if one.host == host]
        silent = [one for one in unjudged(known) if one.host == host]
        waiting = sum(one.first.status == "undetermined" for one in found)
        suite = _suite(
            root,
            f"{host}: {TITLE}",
            report.time,
            len(found) + len(silent),
            waiting + len(silent),
        )
        _properties(suite, (*feed_facts(known), *judged_facts(judged)))
        for flaw in found:
            _flaw(suite, flaw)
        for one in silent:
            _skipped(suite, f"not judged: {one.reason}", one.reason)
    return _bytes(root)


def _root(site: str, time: str, findings: Sequence[Finding]) -> ElementTree.Element:
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
    return root


def _bytes(root: ElementTree.Element) -> bytes:
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
    if outcome:
        made = ElementTree.SubElement(case, outcome, message=clean(_told(finding)))
        if outcome != "skipped":
            made.set("type", finding.severity.value)
            made.text = clean(
                f"observed: {finding.observed}\nrequired: {finding.required}\n"
                f"remedy: {finding.remedy}\n{finding.evidence}"
            )
    elif finding.verdict is Verdict.WARN:
        ElementTree.SubElement(case, "system-out").text = clean(f"warning: {finding.observed}")


def _told(finding: Finding) -> str:
    if finding.waived:
        return f"waived until {finding.waived.until}: {finding.waived.reason}"
    if finding.blocked_by:
        return f"not judged: it depends on {finding.blocked_by}, which did not pass"
    return finding.observed


def _suite(
    root: ElementTree.Element, name: str, time: str, tests: int, skipped: int
) -> ElementTree.Element:
    return ElementTree.SubElement(
        root,
        "testsuite",
        name=clean(name),
        timestamp=time.partition("+")[0],
        tests=str(tests),
        failures="0",
        errors="0",
        skipped=str(skipped),
        time="0.000",
    )


def _properties(suite: ElementTree.Element, facts: Sequence[tuple[str, str]]) -> None:
    below = ElementTree.SubElement(suite, "properties")
    for name, value in facts:
        ElementTree.SubElement(below, "property", name=name, value=clean(value))


def _flaw(suite: ElementTree.Element, flaw: AffectedPackages) -> None:
    if flaw.first.status == "undetermined":
        _skipped(suite, flaw.name, f"{flaw.told}; installed: {flaw.installed}")
        return
    case = _named(suite, flaw.name)
    told = f"warning: {flaw.told}\ninstalled: {flaw.installed}\n{flaw.first.description}"
    ElementTree.SubElement(case, "system-out").text = clean(told)


def _skipped(suite: ElementTree.Element, name: str, reason: str) -> None:
    ElementTree.SubElement(_named(suite, name), "skipped", message=clean(reason))


def _named(suite: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", name=clean(name), classname=_CLASS, time="0.000"
    )
