"""From finished English texts to another language, by the templates that they were made from.

A judgement makes its text where it knows what it saw: `f"{free} GB of {size} GB free on {disk}"`.
Here the finished text is recognised by its template, and said again by the other language's, with
what was filled in where that language wants it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
class _Said:
    """A reading of a text, and how much of it was known: characters of templates' own words."""

    text: str
    words: int


@dataclass(frozen=True)
class _Template:
    """One text of the sources: how it is recognised, and how it is said."""

    landmark: str
    pattern: re.Pattern[str]
    said: str
    lines: bool
    words: int


class Catalogue:
    """A language by its templates: `entries` from English to it, `{0}` and `{site}` as places."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._literals = {english: said for english, said in entries.items() if "{" not in english}
        self._templates = tuple(
            _template(english, said) for english, said in entries.items() if "{" in english
        )

    def text(self, english: str) -> str:
        """The text in this language; what no template knows stays as it is."""
        return self._best(english, _DEEPEST, {}).text

    def _best(self, english: str, deeper: int, found: dict[str, _Said]) -> _Said:
        """Of all ways to read the text, the one that knows most of its words."""
        if deeper <= 0 or not english:
            return _Said(english, 0)
        bare = english.strip(" ")
        if bare and bare != english and english not in self._literals:
            inner = self._best(bare, deeper, found)
            at = english.index(bare)
            text = f"{english[:at]}{inner.text}{english[at + len(bare) :]}"
            if inner.words:
                return _Said(text, inner.words)
        if english not in found:
            found[english] = _Said(english, 0)  # what would read itself again is data
            found[english] = max(
                self._readings(english, deeper - 1, found), key=lambda one: one.words
            )
        return found[english]

    def _readings(self, english: str, deeper: int, found: dict[str, _Said]) -> Iterator[_Said]:
        literal = self._literals.get(english)
        if literal is not None:
            yield _Said(literal, len(english))
            return
        for template in self._templates:
            # What is filled into a line are no lines.
            if template.landmark in english and ("\n" in english) == template.lines:
                match = template.pattern.fullmatch(english)
                if match is not None:
                    yield self._filled(template, match, deeper, found)
        for joint in _JOINTS:
            if joint in english:
                yield self._joined(english, joint, deeper, found)
        yield _Said(english, 0)

    def _filled(
        self, template: _Template, match: re.Match[str], deeper: int, found: dict[str, _Said]
    ) -> _Said:
        parts = {
            name.removeprefix("p"): self._best(part, deeper, found)
            for name, part in match.groupdict().items()
        }
        text = _PLACE.sub(lambda place: parts[place[1]].text, template.said)
        return _Said(text, template.words + sum(part.words for part in parts.values()))

    def _joined(self, english: str, joint: str, deeper: int, found: dict[str, _Said]) -> _Said:
        # A name stands before the first colon only.
        first, *others = english.split(joint, 1 if joint == ": " else -1)
        parts = [self._best(first, deeper, found)]
        for other in others:
            # Some texts begin with what joins them to the one before.
            suffix = self._best(joint + other, deeper, found)
            alone = self._best(other, deeper, found)
            if suffix.words > alone.words and suffix.text.startswith(joint):
                alone = _Said(suffix.text.removeprefix(joint), suffix.words)
            parts.append(alone)
        return _Said(joint.join(part.text for part in parts), sum(part.words for part in parts))


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
    return _Template(landmark, whole, said, "\n" in english, len(_PLACE.sub("", english)))
