"""A report in which everything that one can hold is there, each thing by an unmistakable text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone

from tests.unit.report.samples import finding, report
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Severity, Verdict
from ucontact_appliance.facts import host
from ucontact_appliance.facts.components import (
    HostContents,
    InstalledPackage,
    InstalledPackages,
    JavaArchive,
    JavaArchives,
    PythonDistribution,
    PythonEnvironment,
)
from ucontact_appliance.report.controls import (
    AssessedFramework,
    Control,
    ControlAssessment,
    ControlStatus,
    Framework,
)
from ucontact_appliance.report.exhibits import Command, Exhibit, Method, exhibit_id
from ucontact_appliance.report.html import VERDICTS
from ucontact_appliance.report.model import Assessment, Report, ReportedHost, Requirement
from ucontact_appliance.report.vulnerabilities import HostJudgement, KnownToday, Vulnerability
from ucontact_appliance.site.waivers import Attestation

_WORD = {"seen": date(2026, 1, 15), "until": date(2031, 5, 6)}
OWN_WORD = Attestation(control="R14", statement="said-of-requirement", by="vouching-r", **_WORD)
OTHER_WORD = Attestation(
    control="iso-27001/8.10", statement="said-of-control", by="vouching-c", **_WORD
)
SYSTEM = (host.system, ())


def _of(state: str, verdict: Verdict, **changes: object) -> Finding:
    texts = {key: f"{key}-{state}" for key in ("title", "observed", "required", "remedy")}
    return finding(
        f"kind.{state}",
        verdict,
        "Q01",
        host="server-one",
        evidence=f"evidence-{state}",
        **texts,
        **changes,
    )


FINDINGS = (
    _of("pass", Verdict.PASS, sources=(SYSTEM,), seconds=1.25),
    _of("warn", Verdict.WARN, severity=Severity.LOW),
    _of("fail", Verdict.FAIL, severity=Severity.CRITICAL),
    _of("error", Verdict.ERROR),
    _of("skip", Verdict.SKIP),
    _of("blocked", Verdict.SKIP, blocked_by="kind.fail", blocked_on="other-host"),
    _of("waived", Verdict.FAIL, waived=AppliedWaiver("excuse-waived", date(2031, 2, 3))),
)

EXHIBIT = Exhibit(
    id=exhibit_id("server-one", SYSTEM),
    host="server-one",
    probe="facts.host.system",
    arguments="[]",
    method=Method.PROBED,
    began="2026-03-02T02:29:00.000+00:00",
    seconds=0.1,
    commands=(Command(("exhibited-command",), 0, "exhibited-output", "", "", 0.1),),
    answer={},
    problem="",
    sha256="5e" * 32,
)


def _requirement(number: int, verdict: str) -> Assessment:
    status = ("effective", "retired", "past-support")[number % 3]
    return Assessment(
        Requirement(
            f"Q{number:02}",
            "group-id",
            f"requirement-{verdict}",
            f"demanded-{verdict}",
            status,
            note=f"noted-{verdict}",
            manual=f"looked-{verdict}",
        ),
        verdict,
        FINDINGS if number == 1 else (),
        OWN_WORD if verdict == "attested" else None,
    )


def _control(verdict: str) -> ControlAssessment:
    retired = ControlStatus(state="retired", since=date(2019, 8, 7), why="outdated-control")
    return ControlAssessment(
        Control(
            id=f"c-{verdict}",
            title=f"control-{verdict}",
            required=f"controlled-{verdict}",
            look=f"seen-{verdict}",
            status=retired if verdict == "manual" else None,
        ),
        verdict,
        FINDINGS[:1],
        OTHER_WORD if verdict == "attested" else None,
    )


def _flaw(cve: str, status: str, fixed: str = "") -> Vulnerability:
    return Vulnerability(
        package="flawedlib",
        architecture="armhf",
        version="7.7.7-1",
        source="flawedsource",
        source_version="7.7.7-0",
        cve=cve,
        status=status,  # type: ignore[arg-type]
        fixed_version=fixed,
        urgency="unimportant",
        scope="scope-of-it",
        description=f"described {cve}",
        no_advisory="minor-issue",
        no_advisory_reason="postponed",
    )


KNOWN = KnownToday(
    file="/srv/feed-file.json",
    sha256="fe" * 32,
    written=datetime(2026, 2, 25, 12, 0, tzinfo=timezone.utc),
    age_days=4.6,
    hosts=(
        (
            "server-one",
            HostJudgement(
                suite="suite-of-one",
                packages=4321,
                affected=(
                    _flaw("CVE-2026-1111", "fixed-in", "7.7.7-9"),
                    _flaw("CVE-2026-2222", "open"),
                ),
                undetermined=(_flaw("CVE-2026-3333", "undetermined"),),
                unjudged=("uncomparable-package",),
            ),
        ),
        ("other-host", HostJudgement(suite="suite-of-other", reason="unjudged-server")),
    ),
)
REFUSED = replace(KNOWN, refused="refused-feed", hosts=())


def everything() -> Report:
    """Each field of the report, each state, verdict and status."""
    packages = (
        InstalledPackage("flawedlib", "7.7.7-1", "armhf", "flawedsource", "7.7.7-0"),
        InstalledPackage("soundlib", "1", "armhf", "soundlib", "1"),
    )
    found = InstalledPackages("debian", "12", "Debian", "suite-of-one", packages, ("unread-part",))
    archive = JavaArchive("server/archived.jar", 12, "ab" * 32, "archived-title", "1.0")
    return replace(
        report(),
        appliance="appliance-version",
        site="site-name",
        fqdn="fqdn.example.com",
        agents=54321,
        size="big",
        verdict="fail",
        hosts=(
            ReportedHost(
                "server-one",
                "192.0.2.77",
                ("role-of-one",),
                "system-of-one",
                98765,
                {"/etc/managed.conf": "f1" * 32 + " 0644 root"},
            ),
        ),
        groups={"group-id": "group-title"},
        assessments=tuple(_requirement(n, verdict) for n, verdict in enumerate(VERDICTS, start=1)),
        findings=FINDINGS,
        versions=(FINDINGS[0],),
        limits=("limit-of-all",),
        frameworks=(
            AssessedFramework(
                Framework(
                    id="frame",
                    title="framework-title",
                    version="v-9",
                    publisher="publisher-of-it",
                    date=date(2020, 1, 1),
                    url="https://frame.example.com",
                    note="framework-note",
                    controls=tuple(_control(verdict).control for verdict in VERDICTS),
                ),
                tuple(_control(verdict) for verdict in VERDICTS),
            ),
        ),
        exhibits=(EXHIBIT,),
        contents=(
            HostContents("server-one", found, JavaArchives("/etc/IntegraServer", (archive,))),
        ),
        controller=PythonEnvironment("3.11.99", (PythonDistribution("distributed", "4.5.6"),)),
        vulnerabilities=KNOWN,
    )
