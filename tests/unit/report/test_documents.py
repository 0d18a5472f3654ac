import json
import re
from html.parser import HTMLParser

from jsonschema import Draft202012Validator

from tests.unit.report.samples import finding, report
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.report.document import schema, schema_text, to_json
from ucontact_appliance.report.html import headline, long_date, to_html
from ucontact_appliance.resources import ROOT


class _Page(HTMLParser):
    """What a page refers to, its anchors, and its tags that were never closed."""

    _VOID = frozenset({"col", "meta", "br", "img", "link", "hr", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self._VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_document_holds_what_was_required_and_seen_for_each_requirement() -> None:
    document = json.loads(to_json(report()))
    assert document["schema"] == 2
    assert document["time"] == "2026-03-02T02:30:05+00:00"
    assert len(document["requirements"]) == 32
    pinning = next(row for row in document["requirements"] if row["id"] == "R10")
    assert pinning["status"] == "retired"
    assert pinning["verdict"] == "fail"
    assert pinning["findings"] == [{"check": "web.header.hpkp", "host": "one"}]
    assert [row["id"] for row in document["findings"]][:2] == ["web.header.hsts", "web.header.hpkp"]
    owasp = next(row for row in document["frameworks"] if row["id"] == "owasp-headers")
    assert {row["verdict"] for row in owasp["controls"]} >= {"partial", "fail", "skip", "manual"}


def test_the_document_is_as_its_published_schema_says() -> None:
    Draft202012Validator(schema()).validate(json.loads(to_json(report())))
    Draft202012Validator.check_schema(schema())


def test_the_published_schema_is_up_to_date() -> None:
    # mend it with: python -m ucontact_appliance.report.document > docs/schemas/report.schema.json
    kept = (ROOT / "docs" / "schemas" / "report.schema.json").read_text(encoding="utf-8")
    assert kept == schema_text()


def test_the_page_stands_alone_and_holds_together() -> None:
    page = _Page(to_html(report()))
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert page.links
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in to_html(report())


def test_the_page_names_every_requirement_problem_remedy_and_limit() -> None:
    made = report()
    text = _Page(to_html(made)).text
    for assessment in made.assessments:
        assert assessment.requirement.id in text
        assert assessment.requirement.required in text
    assert text.count("mend web.header.hpkp") == 2  # in the summary, and with the evidence
    assert "mend web.header.hsts" not in text  # it passed
    for limit in made.limits:
        assert limit in text
    assert "not verifiable here: a container" in text
    assert "2 March 2026, 02:30 UTC" in text


def test_whatever_a_server_answers_stays_text() -> None:
    evil = "<script>alert(1)</script><img src=x>"
    page = to_html(
        report(finding("a.b", Verdict.FAIL, "R01", observed=evil, evidence=evil, remedy=evil))
    )
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_the_same_evidence_stands_there_once() -> None:
    one = finding("a.one", Verdict.PASS, "R01", evidence="unmistakable")
    two = finding("a.two", Verdict.PASS, "R01", evidence="unmistakable")
    elsewhere = finding("a.one", Verdict.PASS, "R01", host="two", evidence="unmistakable")
    page = to_html(report(one, two, elsewhere))
    assert page.count("unmistakable") == 2
    assert re.search(r'The same output as for <a href="#one.a.one">', page)


def test_a_blocked_finding_names_what_it_builds_on() -> None:
    blocked = finding("a.b", Verdict.SKIP, "R01", observed="", blocked_by="host.reachable")
    assert "it depends on host.reachable" in to_html(report(blocked))


def test_blocked_checks_are_counted_with_the_failures_and_not_with_what_cannot_be_seen() -> None:
    root = finding("host.reachable", Verdict.FAIL, "C05")
    blocked = [
        finding(f"a.{n}", Verdict.SKIP, "R09", observed="", blocked_by="host.reachable")
        for n in range(2)
    ]
    page = to_html(report(root, *blocked))
    assert "2 more could not be judged because they depend on these" in page
    assert '<td class="mark error">blocked</td>' in page
    limits = page.partition('id="limits"')[2].partition("</section>")[0]
    assert "Title of a.0" not in limits
    summary = page.partition('id="summary"')[2].partition("</section>")[0]
    assert "0 of 32 requirements are met" in summary


def test_the_headline_claims_no_more_than_was_seen() -> None:
    assert headline({"pass": 3, "fail": 1}).verdict == "fail"
    assert "could be judged" in headline({"error": 1, "warn": 2}).text
    assert headline({"warn": 1, "partial": 9}).verdict == "warn"
    assert headline({"pass": 1, "manual": 9}).text == (
        "Every requirement that could be verified is met"
    )
    assert headline({"manual": 2, "skip": 30}).text == "Nothing could be verified"


def test_times_are_spoken_in_utc() -> None:
    assert long_date("2026-01-09T00:05:00-03:00") == "9 January 2026, 03:05 UTC"


def test_a_day_is_written_as_spanish_writes_it() -> None:
    words = translation(Language.ES)
    assert long_date("2026-05-09T00:05:00+00:00", words) == "9 de mayo de 2026, 00:05 UTC"
