"""What the checks' own tests make them say is said in every language."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ucontact_appliance.checks import model
from ucontact_appliance.checks.model import Judgement
from ucontact_appliance.language.catalogue import Catalogue
from ucontact_appliance.language.choice import Tongue, entries

_CHECKS = Path(model.__file__).parent
# Words that no Spanish text has, and no name, path or setting either.
_ENGLISH = re.compile(
    r"(?<![\w.])(the|is|are|was|of|from|with|which|that|this|answers?|missing|left|by|for|than)\b"
)


@pytest.fixture(scope="session")
def spanish() -> Catalogue:
    return Catalogue(entries(Tongue.ES))


@pytest.fixture(autouse=True)
def _what_is_said_is_said_in_spanish(
    monkeypatch: pytest.MonkeyPatch, spanish: Catalogue
) -> Iterator[None]:
    made: list[Judgement] = []
    plain = Judgement.__init__

    def kept(self: Judgement, *values: Any, **named: Any) -> None:
        plain(self, *values, **named)
        if _comes_from_a_check():
            made.append(self)

    monkeypatch.setattr(Judgement, "__init__", kept)
    yield
    english = [
        (text, told)
        for judgement in made
        for text in (judgement.observed, judgement.required)
        if _ENGLISH.search(told := spanish.text(text))
    ]
    assert english == []


def _comes_from_a_check() -> bool:
    frame = sys._getframe(2)
    while frame is not None and Path(frame.f_code.co_filename).name == "model.py":
        frame = frame.f_back
    return frame is not None and Path(frame.f_code.co_filename).parent == _CHECKS
