"""The frameworks of the compliance report have every text in Spanish, and no other text."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from ucontact_appliance.report.controls import NAMES, Framework, load_framework
from ucontact_appliance.resources import load_data

# What a framework and its controls are called where that is a name: of a publication, a header, a
# protocol. Nothing of it is to be translated.
PROPER_NAMES = frozenset(
    {
        "CIS NGINX Benchmark",
        "CIS Oracle MySQL Community Server 8.4 Benchmark",
        "CIS Ubuntu Linux 24.04 LTS Benchmark",
        "OWASP Secure Headers Project",
        "PCI DSS",
        "Content-Security-Policy",
        "HTTP/2",
        "Referrer-Policy",
        "Strict-Transport-Security",
        "X-Content-Type-Options",
        "X-Frame-Options",
    }
)
ENGLISH = re.compile(r"\b(?:the|of|and|with|which)\b", re.IGNORECASE)
CODE = re.compile(r"`[^`]*`")
# An apostrophe within or after a word (Let's Encrypt) opens no quotation.
QUOTED = re.compile(r"(?<!\w)'[^']*'|\"[^\"]*\"")
# Settings, files, ids of checks, dotted numbers: what a reader looks for, letter by letter.
NAME = re.compile(r"\w+(?:[._]\w+)+")
FIGURE = re.compile(r"\d+")

Texts = dict[tuple[str, str], str]


def english_texts(framework: Framework) -> Texts:
    """Every text of the framework by (control's id or "", field)."""
    texts = {("", "title"): framework.title, ("", "note"): framework.note}
    for one in framework.controls:
        texts[one.id, "title"] = one.title
        texts[one.id, "required"] = one.required
        texts[one.id, "look"] = one.look
        texts[one.id, "why"] = one.status.why if one.status else ""
    return {place: text for place, text in texts.items() if text}


def translated_texts(rows: dict[str, Any]) -> Texts:
    """Every text of a translation's file by (control's id or "", field)."""
    texts = {("", field): text for field, text in rows.items() if field != "controls"}
    for name, row in rows["controls"].items():
        texts |= {(name, field): text for field, text in row.items()}
    return texts


def prose(text: str) -> str:
    """The text without commands and quotations, which stay as they are in every language."""
    return QUOTED.sub(" ", CODE.sub(" ", text))


@cache
def english(name: str) -> Texts:
    return english_texts(load_framework(name))


@cache
def spanish_rows(name: str) -> dict[str, Any]:
    rows: dict[str, Any] = load_data(f"es/controls/{name}")
    return rows


def spanish(name: str) -> Texts:
    return translated_texts(spanish_rows(name))


def pairs(name: str) -> dict[tuple[str, str], tuple[str, str]]:
    """The English and the Spanish of every text that both have."""
    told = spanish(name)
    return {place: (text, told[place]) for place, text in english(name).items() if place in told}


@pytest.mark.parametrize("name", NAMES)
def test_the_controls_are_the_same_in_the_same_order(name: str) -> None:
    assert list(spanish_rows(name)["controls"]) == [one.id for one in load_framework(name).controls]


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_there_and_no_other(name: str) -> None:
    assert spanish(name).keys() == english(name).keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_a_text(name: str) -> None:
    odd = {
        place: text
        for place, text in spanish(name).items()
        if not isinstance(text, str) or not text or text != text.strip()
    }
    assert odd == {}


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_the_english_one(name: str) -> None:
    same = {
        place: text
        for place, (text, told) in pairs(name).items()
        if told == text and text not in PROPER_NAMES and re.search(r"[a-zA-Z]", prose(text))
    }
    assert same == {}


@pytest.mark.parametrize("name", NAMES)
def test_no_english_word_is_left(name: str) -> None:
    left = {place: text for place, text in spanish(name).items() if ENGLISH.search(prose(text))}
    assert left == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "kind", [CODE, NAME, FIGURE], ids=["commands", "names_with_dots_or_underscores", "figures"]
)
def test_what_is_no_language_is_the_same(name: str, kind: re.Pattern[str]) -> None:
    wrong = {
        place: (set(kind.findall(text)), set(kind.findall(told)))
        for place, (text, told) in pairs(name).items()
        if set(kind.findall(text)) != set(kind.findall(told))
    }
    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_full_stop_is_where_the_english_has_one(name: str) -> None:
    wrong = {
        place: told
        for place, (text, told) in pairs(name).items()
        if text.endswith(".") != told.endswith(".")
    }
    assert wrong == {}


def test_a_proper_name_is_one_of_a_framework() -> None:
    titles = {text for name in NAMES for (_, field), text in english(name).items()}
    assert titles >= PROPER_NAMES


@pytest.mark.parametrize("word", ["the", "Of", "and", "WITH", "which"])
def test_an_english_word_is_found_in_prose_only(word: str) -> None:
    assert ENGLISH.search(prose(f"una prueba {word} `ls`"))
    assert not ENGLISH.search(prose(f"una prueba `a {word} b` y 'c {word} d', {word}n"))
