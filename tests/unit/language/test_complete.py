"""Every message of the sources has its translation in every language, and nothing else has."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest
from babel.messages.catalog import Catalog, Message

from tests.messages.catalogues import compiled, messages, path_of, read, untranslated
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.language.choice import Language, translation

_LANGUAGES = [language for language in Language if language is not Language.EN]
_PLACE = re.compile(r"\{\w*(?:![rsa])?(?::[^{}]*)?\}|%\(\w+\)s|\{\{|\}\}")
_UPDATE = "make messages"


@cache
def catalogue(language: Language) -> Catalog:
    return read(language)


def texts(language: Language) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def forms(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


@pytest.mark.parametrize("language", _LANGUAGES)
def test_the_catalogue_has_the_messages_of_the_sources(language: Language) -> None:
    known = {message.id for message in texts(language)}
    wanted = {one if isinstance(one, str) else tuple(one) for one in messages()}
    assert known == wanted, _UPDATE


@pytest.mark.parametrize("language", _LANGUAGES)
def test_every_message_is_translated(language: Language) -> None:
    assert untranslated(catalogue(language)) == []
    assert [message.id for message in texts(language) if message.fuzzy] == []
    assert list(catalogue(language).obsolete) == []


@pytest.mark.parametrize("language", _LANGUAGES)
def test_the_places_are_the_same(language: Language) -> None:
    wrong = [
        (text, told)
        for message in texts(language)
        for text, told in zip(forms(message.id), forms(message.string), strict=True)
        if Counter(_PLACE.findall(text)) != Counter(_PLACE.findall(told))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", _LANGUAGES)
def test_the_compiled_catalogue_is_current(language: Language) -> None:
    path = path_of(language).with_suffix(".mo")
    assert path.read_bytes() == compiled(catalogue(language)), _UPDATE


@pytest.mark.parametrize("language", _LANGUAGES)
def test_no_title_and_no_note_of_a_remedy_is_left_in_english(language: Language) -> None:
    translate = translation(language)
    notes = [
        (check.remedy.partition(" # ")[2], translate(check.remedy).partition(" # ")[2])
        for check in CHECKS
    ]
    told = [*((check.title, translate(check.title)) for check in CHECKS), *notes]
    assert [text for text, said in told if text and said == text] == []
    assert [said for _, said in told if re.search(r"\b(the|of|is|and|with|to)\b", said)] == []
