"""Every text of the checks is there in every language, and nothing else is."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from tests.messages.extract import by_file
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.language.choice import Tongue, entries, language
from ucontact_appliance.resources import PACKAGE

_TONGUES = [tongue for tongue in Tongue if tongue is not Tongue.EN]
WANTED = by_file()
_NOT_OF_CHECKS = ("page.yml", "screen.yml", "words.yml")


@pytest.mark.parametrize("tongue", _TONGUES)
@pytest.mark.parametrize("name", sorted(WANTED))
def test_no_text_lacks(name: str, tongue: Tongue) -> None:
    known = entries(tongue)
    assert [text for text in WANTED[name] if text not in known] == []


@pytest.mark.parametrize("tongue", _TONGUES)
def test_no_text_is_left_over(tongue: Tongue) -> None:
    used = {text for texts in WANTED.values() for text in texts}
    folder = PACKAGE / "data" / tongue.value
    others = "".join((folder / name).read_text(encoding="utf-8") for name in _NOT_OF_CHECKS)
    left = [text for text in entries(tongue) if text not in used]
    assert [
        text for text in left if f"{json.dumps(text, ensure_ascii=False)}: " not in others
    ] == []


@pytest.mark.parametrize("tongue", _TONGUES)
def test_the_places_are_the_same(tongue: Tongue) -> None:
    def places(text: str) -> Counter[str]:
        return Counter(re.findall(r"\{\w+\}", text))

    wrong = [text for text, told in entries(tongue).items() if places(text) != places(told)]
    assert wrong == []


@pytest.mark.parametrize("tongue", _TONGUES)
def test_no_text_is_in_two_files(tongue: Tongue) -> None:
    lines = Counter(
        line
        for path in (PACKAGE / "data" / tongue.value).glob("*.yml")
        for line in re.findall(r'^("(?:[^"\\]|\\.)*"): ', path.read_text("utf-8"), re.MULTILINE)
    )
    assert [line for line, count in lines.items() if count > 1] == []


@pytest.mark.parametrize("tongue", _TONGUES)
def test_no_title_and_no_note_of_a_remedy_is_left_in_english(tongue: Tongue) -> None:
    speak = language(tongue)
    notes = [check.remedy.partition(" # ")[2] for check in CHECKS]
    texts = [text for text in (*(check.title for check in CHECKS), *notes) if text]
    told = [(text, speak.text(text)) for text in texts]
    assert [text for text, said in told if said == text] == []
    assert [said for _, said in told if re.search(r"\b(the|of|is|and|with|to)\b", said)] == []
