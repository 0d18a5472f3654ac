"""An invented run of a small site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Finding, Severity, Verdict
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.report.compose import compose
from ucontact_appliance.report.exhibits import Exhibit
from ucontact_appliance.report.model import Report

SURVEY = Survey(os_id="ubuntu", os_version="24.04", os_name="Ubuntu 24.04.1 LTS", memory_mb=8192)
TIME = datetime(2026, 3, 1, 23, 30, 5, tzinfo=timezone(timedelta(hours=-3)))


def finding(check: str, verdict: Verdict, *requirements: str, **changes: Any) -> Finding:
    """A finding of that check on the host `one`, with some fields replaced."""
    values: dict[str, Any] = {
        "id": check,
        "title": f"Title of {check}",
        "verdict": verdict,
        "severity": Severity.HIGH,
        "requirements": requirements,
        "host": "one",
        "observed": f"observed {check}",
        "required": f"required {check}",
        "evidence": f"$ evidence of {check}",
        "remedy": f"mend {check}",
    }
    return Finding(**(values | changes))


FINDINGS = (
    finding("web.header.hsts", Verdict.PASS, "R09"),
    finding("web.header.hpkp", Verdict.FAIL, "R10", "R09"),
    finding("host.system", Verdict.WARN, "R18", observed="Ubuntu 24.04"),
    finding(
        "host.time_sync",
        Verdict.SKIP,
        "R01",
        observed=_("not verifiable here: {evidence}", evidence="a container"),
    ),
    finding("web.portal", Verdict.PASS, "R01"),
    finding("call.quality", Verdict.ERROR, "R24"),
    finding("call.tone", Verdict.SKIP, "R03"),
    finding("ports.sip-udp", Verdict.PASS, "R13"),
)


def report(*findings: Finding, exhibits: Sequence[Exhibit] = (), **site: Any) -> Report:
    """The report over these findings, or over FINDINGS; `site` replaces keys of site.yml."""
    made = small_site(**site)
    surveys = {"one": SURVEY}
    return compose(
        made, make_plan(made, {}), surveys, findings or FINDINGS, TIME, exhibits=exhibits
    )
