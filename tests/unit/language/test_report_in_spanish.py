"""The report's page and paper speak the reader's language, whole; what is nobody's text stays."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from pypdf import PdfReader

from tests.unit.report.samples import report
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.report.compose import requirements
from ucontact_appliance.report.controls import frameworks
from ucontact_appliance.report.html import to_html
from ucontact_appliance.report.pdf import to_pdf
from ucontact_appliance.report.translated import translated_report
from ucontact_appliance.resources import load_data

_SPANISH = translation(Language.ES)
_NAMES = {"Java 8"}
_ENGLISH = re.compile(r"\b(the|which|with|from|every|and|not|that|its|made)\b", re.IGNORECASE)


class _Text(HTMLParser):
    """The words of a page, without its style, its code and what checks bring as evidence."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._within: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "code", "pre"):
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within and data.strip():
            self.words.append(data.strip())


def test_no_english_is_left_on_the_page() -> None:
    page = to_html(translated_report(report(), Language.ES), _SPANISH, "es")
    assert '<html lang="es">' in page
    # The sample's findings are nobody's texts.
    publishers = [one.publisher for one in frameworks()]
    told = [
        text
        for text in _Text(page).words
        if "Title of" not in text and not any(name in text for name in publishers)
    ]
    assert [text for text in told if _ENGLISH.search(text)] == []


def test_the_paper_is_in_spanish() -> None:
    made = to_pdf(translated_report(report(), Language.ES), _SPANISH, "es")
    text = "\n".join(page.extract_text() for page in PdfReader(BytesIO(made)).pages)
    assert "Informe de cumplimiento" in text
    assert "Los requisitos en detalle" in text
    assert "2 de marzo de 2026" in text


def test_every_requirement_is_said_with_the_same_parts() -> None:
    said = load_data("es/controls/requirements")
    english = load_data("requirements")
    assert list(said["groups"]) == list(english["groups"])
    assert len(said["limits"]) == len(english["limits"])
    parts = ("title", "required", "note", "manual")
    for one in requirements():
        wanted = {part for part in parts if getattr(one, part)}
        assert set(said["requirements"][one.id]) == wanted, one.id
        for part in wanted:
            told = said["requirements"][one.id][part]
            assert told != getattr(one, part) or told in _NAMES, one.id


@pytest.mark.parametrize("language", list(Language))
def test_ids_verdicts_and_evidence_are_the_same_in_every_language(language: Language) -> None:
    original, told = report(), translated_report(report(), language)
    for one, other in zip(original.findings, told.findings, strict=True):
        assert (one.id, one.verdict, one.evidence) == (other.id, other.verdict, other.evidence)
    for one, other in zip(original.assessments, told.assessments, strict=True):
        assert (one.requirement.id, one.verdict) == (other.requirement.id, other.verdict)
