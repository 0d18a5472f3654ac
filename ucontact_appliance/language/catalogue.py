"""From finished English texts to another language, by the templates that they were made from.

A judgement makes its text where it knows what it saw: `f"{free} GB of {size} GB free on {disk}"`.
Here the finished text is recognised by its template, and said again by the other language's, with
what was filled in where that language wants it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

_PLACE = re.compile(r"\{(\w+)\}")
# What joins texts of their own into one: each part is said by itself.
_JOINTS = ("\n", "; ", ", ", ": ")
_DEEPEST = 6  # texts within texts; deeper ones are data


class Language(Protocol):
    """Says English texts in the reader's language."""

    def text(self, english: str) -> str:
        """The text; what it does not know stays as it is."""


class English:
    """The language of the sources."""

    def text(self, english: str) -> str:
        """The text itself."""
        return english


@dataclass(frozen=True)
class _Template:
    """One text of the sources: how it is recognised, and how it is said."""

    landmark: str
    pattern: re.Pattern[str]
    said: str
    lines: bool


class Catalogue:
    """A language by its templates: `entries` from English to it, `{0}` and `{site}` as places."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._literals = {english: said for english, said in entries.items() if "{" not in english}
        # The most specific first: of those that fit, the one with the most words of its own.
        self._templates = sorted(
            (_template(english, said) for english, said in entries.items() if "{" in english),
            key=lambda one: -len(_PLACE.sub("", one.pattern.pattern)),
        )

    def text(self, english: str) -> str:
        """The text in this language; what no template knows stays as it is."""
        found = self._known(english, _DEEPEST)
        if found is not None:
            return found
        return self._joined(english, _DEEPEST)

    def knows(self, english: str) -> bool:
        """Whether a template stands for the whole text."""
        return self._known(english, _DEEPEST) is not None

    def _known(self, english: str, deeper: int) -> str | None:
        literal = self._literals.get(english)
        if literal is not None:
            return literal
        for template in self._templates:
            # What is filled into a line are no lines.
            if template.landmark in english and ("\n" in english) == template.lines:
                match = template.pattern.fullmatch(english)
                if match is not None:
                    return self._filled(template.said, match, deeper)
        return None

    def _filled(self, said: str, match: re.Match[str], deeper: int) -> str:
        def part(place: re.Match[str]) -> str:
            return self._part(match[f"p{place[1]}"], deeper - 1)

        return _PLACE.sub(part, said)

    def _part(self, english: str, deeper: int) -> str:
        """What was filled in: a text of its own, or texts that were joined, or data."""
        if deeper <= 0 or not english:
            return english
        found = self._known(english, deeper)
        return self._joined(english, deeper) if found is None else found

    def _joined(self, english: str, deeper: int) -> str:
        for joint in _JOINTS:
            if joint in english:
                parts = (self._part(part, deeper - 1) for part in english.split(joint))
                return joint.join(parts)
        return english


def _template(english: str, said: str) -> _Template:
    pattern, landmark, at = "", "", 0
    named: set[str] = set()
    for place in _PLACE.finditer(english):
        fixed = english[at : place.start()]
        landmark = max(landmark, fixed, key=len)
        name = f"p{place[1]}"
        pattern += re.escape(fixed)
        pattern += f"(?P={name})" if name in named else f"(?P<{name}>.*?)"
        named.add(name)
        at = place.end()
    rest = english[at:]
    landmark = max(landmark, rest, key=len)
    whole = re.compile(pattern + re.escape(rest), re.DOTALL)
    return _Template(landmark, whole, said, "\n" in english)
