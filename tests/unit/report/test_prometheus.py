"""The metrics, read back by Prometheus' own parser."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.findings.test_changes import finding
from ucontact_appliance.checks.model import AppliedWaiver, Verdict
from ucontact_appliance.report.prometheus import to_text

NOW = datetime(2026, 11, 23, 3, 0, 0, tzinfo=timezone.utc)
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Series:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_finding_and_the_run_itself() -> None:
    broken = finding("c.c", Verdict.FAIL)
    findings = [
        finding("a.a"),
        finding("b.b", Verdict.WARN),
        broken,
        finding("d.d", Verdict.ERROR),
        finding("e.e", Verdict.SKIP),
        finding("f.f", Verdict.SKIP, blocked_by="c.c"),
        replace(broken, id="g.g", waived=AppliedWaiver("known", date(2027, 1, 1))),
    ]
    series = read(to_text("acme", findings, NOW, 4.5))
    status = {
        dict(labels)["id"]: value
        for (name, labels), value in series.items()
        if name == "ucontact_check_status"
    }
    assert status == {"a.a": 0, "b.b": 1, "c.c": 2, "d.d": 3, "e.e": -1, "f.f": -1, "g.g": -2}
    labels = (("host", "one"), ("id", "c.c"), ("severity", "high"), ("site", "acme"))
    assert series["ucontact_check_status", labels] == 2
    assert series["ucontact_check_duration_seconds", labels[:2] + labels[3:]] == 0.1
    site = (("site", "acme"),)
    assert series["ucontact_doctor_last_run_timestamp_seconds", site] == NOW.timestamp()
    assert series["ucontact_doctor_duration_seconds", site] == 4.5
    assert series["ucontact_checks", (*site, ("state", "blocked"))] == 1


def test_the_text_as_promtool_wants_it() -> None:
    text = to_text("acme", [finding('q"\\\n')], NOW, 1)
    assert "# TYPE ucontact_check_status gauge\n" in text
    assert 'id="q\\"\\\\\\n"' in text
    assert text.endswith("\n")
    # A file that holds a series twice is refused as a whole.
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_name_comes_back_as_it_was(name: str) -> None:
    series = read(to_text(name, [], NOW, 1))
    assert ("ucontact_doctor_duration_seconds", (("site", name),)) in series
