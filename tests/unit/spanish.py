"""What the tests of checks and findings make judges say is said in every language."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ucontact_appliance import checks, findings
from ucontact_appliance.checks.model import Judgement
from ucontact_appliance.language.catalogue import Catalogue
from ucontact_appliance.language.choice import Tongue, entries

_JUDGING = {Path(checks.__file__).parent, Path(findings.__file__).parent}
# Words that no Spanish text has, and no name, path or setting either.
_WORDS = (
    "the is are was were of from with which that this answers? answered missing left by for than "
    "and or to on below back there its has have been can can't none refused loaded marked unknown "
    "busy first next more not took way found read packets asked says? days? checks? needs? must "
    "should only when where who what any all every each file folder never again then still longer "
    "until since before after"
)
_ENGLISH = re.compile(rf"(?<![\w./'_-])({_WORDS.replace(' ', '|')})(?![\w/._'-])")
# Other programs' own sentences stay as they said them.
_FOREIGN = re.compile(
    r"redirect to :\d+|Object of type \w+ is not JSON serializable|Connection refused"
)


@pytest.fixture(scope="session")
def spanish() -> Catalogue:
    return Catalogue(entries(Tongue.ES))


@pytest.fixture(autouse=True)
def said_in_spanish(monkeypatch: pytest.MonkeyPatch, spanish: Catalogue) -> Iterator[None]:
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
        for text in (judgement.observed, judgement.required, _note(judgement.remedy))
        if _ENGLISH.search(told := _FOREIGN.sub("", spanish.text(text)))
    ]
    assert english == []


def _note(remedy: str) -> str:
    return remedy.partition(" # ")[2]


def _comes_from_a_check() -> bool:
    frame = sys._getframe(2)
    while frame is not None and Path(frame.f_code.co_filename).name == "model.py":
        frame = frame.f_back
    return frame is not None and Path(frame.f_code.co_filename).parent in _JUDGING
