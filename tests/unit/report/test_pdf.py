"""The PDF holds what the report holds, literally, and reads nothing but its template."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from tests.unit.report.samples import finding
from tests.unit.report.samples import report as whole
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Verdict
from ucontact_appliance.report import pdf
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.pdf import WORDS, content, to_pdf
from ucontact_appliance.resources import TEMPLATES

TEMPLATE = (TEMPLATES / "report" / "report.typ").read_text(encoding="utf-8")


def report(*findings: Finding, **site: Any) -> Report:
    """The sample without the frameworks, whose controls fill forty pages."""
    return replace(whole(*findings, **site), frameworks=())


def pages(made: Report) -> list[str]:
    data = to_pdf(made)
    assert data.startswith(b"%PDF")
    return [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]


def text(made: Report) -> str:
    """All that is printed, as one line; where it broke lines is not told from blanks."""
    return " ".join(" ".join(pages(made)).split())


def packed(value: str) -> str:
    """Without white space: where a long word was broken to fit, the text has a new line."""
    return "".join(value.split())


def test_the_summary_is_on_the_first_page_with_verdict_and_counts() -> None:
    first = " ".join(pages(report())[0].split())
    assert "contact.example.com" in first
    assert "Not every requirement is met" in first
    assert "1 of 32 requirements are met" not in first
    assert "of 8 checks passed" in first
    assert "uContact appliance" in first
    assert "What needs attention" in first  # of the contents


def test_it_holds_every_requirement_problem_remedy_and_limit() -> None:
    made = report()
    printed = packed(text(made))
    for assessment in made.assessments:
        assert packed(assessment.requirement.title) in printed
        assert packed(assessment.requirement.required) in printed
        assert packed(assessment.requirement.note) in printed
    for limit in made.limits:
        assert packed(limit) in printed
    for one in made.findings:
        assert packed(one.title) in printed
        assert packed(one.evidence) in printed
    assert printed.count(packed("mend web.header.hpkp")) == 2  # in the summary, and with the check
    assert packed("mend web.header.hsts") not in printed  # it passed
    assert "Ubuntu24.04.1LTS" in printed


def test_frameworks_are_printed_with_their_checks_and_what_a_person_looks_at() -> None:
    word = {
        "control": "iso-27001/8.10",
        "statement": "deletion jobs seen to run",
        "by": "Ana Pérez, quality",
        "seen": "2026-01-15",
        "until": "2026-12-31",
    }
    printed = packed(text(whole(attestations=[word])))
    for one in whole().frameworks:
        assert packed(one.framework.title) in printed
        for row in one.assessments:
            assert packed(row.control.title) in printed
            assert packed(row.control.look).replace("`", "") in printed
    assert "web.header.hsts" in printed
    assert packed("“deletion jobs seen to run” Ana Pérez, quality, 2026-01-15") in printed


def test_every_page_names_site_time_and_its_number() -> None:
    told = pages(report())
    for number, page in enumerate(told, start=1):
        assert "demo, 2 March 2026, 02:30 UTC" in page
        assert f"Page {number} of {len(told)}" in page


def test_it_has_an_outline_and_a_title() -> None:
    reader = PdfReader(io.BytesIO(to_pdf(report())))
    titles = [str(row.get("/Title")) for row in reader.outline if not isinstance(row, list)]
    assert titles[0] == WORDS["attention"]
    assert titles[-1] == WORDS["evidence"]
    assert reader.metadata is not None
    assert reader.metadata.title == "Compliance report: contact.example.com"


def test_the_same_report_gives_the_same_bytes_made_at_its_own_time() -> None:
    assert to_pdf(report()) == to_pdf(report())
    metadata = PdfReader(io.BytesIO(to_pdf(report()))).metadata
    assert metadata is not None
    assert metadata.creation_date is not None
    assert metadata.creation_date.isoformat() == "2026-03-02T02:30:05+00:00"


HOSTILE = [
    '#read("/etc/passwd")',
    '#import "@preview/cetz:0.3.0": *',
    "*bold* _italic_ `raw`",
    "$x^2$ and $ x $",
    "= heading",
    "- item",
    "<label> @reference",
    r"\u{41} \# \\ ~ -- --- ...",
    "// comment /* other */",
    "\"quoted\" and 'single'",
    "https://example.com/a_b?c=d#e",
    "{0} {1} {words}",
    "]#panic()[",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_a_server_answers_is_printed_as_it_is(value: str) -> None:
    evil = finding(
        "a.b",
        Verdict.FAIL,
        "R01",
        title=f"T {value}",
        observed=f"O {value}",
        required=f"Q {value}",
        evidence=f"E {value}",
        remedy=f"M {value}",
        waived=None,
    )
    base = report(evil)
    hosts = (replace(base.hosts[0], system=f"S {value}"),)
    printed = packed(text(replace(base, hosts=hosts, limits=(f"L {value}",))))
    for mark in "TOQEMSL":
        assert packed(f"{mark} {value}") in printed
    assert "root:x:0:0" not in printed


def test_a_reason_that_waives_is_printed_with_its_last_day() -> None:
    one = finding(
        "a.b", Verdict.FAIL, "R01", waived=AppliedWaiver("the *old* switch", date(2026, 12, 31))
    )
    printed = text(report(one))
    assert "the *old* switch" in printed
    assert "until 2026-12-31" in printed


def test_a_blocked_check_names_what_it_builds_on() -> None:
    blocked = finding("a.b", Verdict.SKIP, "R01", observed="", blocked_by="host.reachable")
    printed = text(report(finding("host.reachable", Verdict.FAIL, "C05"), blocked))
    assert "it depends on host.reachable, which did not pass" in printed
    assert "Not judged, because they depend on these: 1." in printed


def test_a_word_longer_than_the_page_stays_within_it_and_whole() -> None:
    word = "0123456789abcdef" * 20
    one = finding(
        "a.b", Verdict.FAIL, "R01", observed=word, evidence=word, remedy=f"echo {word}", host=word
    )
    made = report(one)
    # A line of A4 has room for some 130 letters of the smallest size.
    assert not any(word[:160] in line for page in pages(made) for line in page.splitlines())
    assert packed(text(made)).count(word) >= 4


def test_hundreds_of_findings_are_all_printed() -> None:
    many = [
        finding(
            f"many.check-{number}",
            Verdict.FAIL if number % 9 == 0 else Verdict.PASS,
            "R01",
            "R09",
            evidence=f"$ look {number}",
            host=f"server-{number % 3}",
        )
        for number in range(400)
    ]
    printed = packed(text(report(*many)))
    assert all(f"$look{number}" in printed for number in range(400))


def test_the_same_evidence_is_printed_once() -> None:
    one = finding("a.one", Verdict.PASS, "R01", evidence="unmistakable")
    two = finding("a.two", Verdict.PASS, "R01", evidence="unmistakable")
    printed = text(report(one, two))
    assert printed.count("unmistakable") == 1
    assert "The same output as for a.one." in printed


def test_of_long_evidence_it_says_how_much_is_left_out() -> None:
    long = "\n".join(f"line-{number}" for number in range(100))
    printed = text(report(finding("a.b", Verdict.PASS, "R01", evidence=long)))
    assert "line-39" in printed
    assert "line-40" not in printed
    assert "60 more lines are in report.json." in printed


def test_a_finding_that_stands_twice_is_no_obstacle() -> None:
    twice = finding("a.b", Verdict.PASS, "R01")
    assert text(report(twice, twice)).count("Title of a.b") >= 2


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(codec=None), max_size=30))
def test_any_text_can_be_printed(value: str) -> None:
    changes = {"title": value, "observed": value, "evidence": value, "host": value, "remedy": value}
    assert to_pdf(report(finding("a.b", Verdict.FAIL, "R01", **changes))).startswith(b"%PDF")


def test_a_template_can_read_no_file_outside_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(pdf, "_TEMPLATE", folder / "report.typ")
    for code in ('#read("../secret")', '#read("/../secret")', f'#read("{tmp_path}/secret")'):
        (folder / "report.typ").write_text(code)
        with pytest.raises(typst.TypstError):
            to_pdf(report())


def test_the_template_loads_nothing() -> None:
    calls = r"\b(?:import|include|read|image|plugin|csv|yaml|toml|xml|cbor|bibliography)\b"
    code = re.sub(r"//.*", "", TEMPLATE)
    assert re.findall(calls, code) == []
    assert re.findall(r"json\([^)]*\)", code) == ["json(bytes(sys.inputs.report)"]


def test_every_word_comes_from_the_one_mapping() -> None:
    used = set(re.findall(r"\bwords\.([a-z_]+)", TEMPLATE))
    assert used - {"language"} <= WORDS.keys()
    made = content(report(), lambda text: f"«{text}»", "es")
    assert made["words"]["language"] == "es"
    assert made["words"]["report"] == "«Compliance report»"
    assert made["summary"].startswith("«")
    assert all(row["name"].startswith("«") for row in made["evidence"])
    bodies = re.findall(r"\[([A-Za-z ]{3,})\]", TEMPLATE)
    assert bodies == []
