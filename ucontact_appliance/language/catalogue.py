"""From finished English texts to another language, by the templates that they were made from.

A judgement makes its text where it knows what it saw: `f"{free} GB of {size} GB free on {disk}"`.
Here the finished text is recognised by its template, and said again by the other language's, with
what was filled in where that language wants it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

_PLACE = re.compile(r"\{(\w+)\}")
# What joins texts of their own into one: each part is said by itself.
_JOINTS = ("\n", "; ", ", ", ": ")
# A template of fewer letters is grammar alone ("{0} is {1}", "{0} of {1}"): it fits any sentence.
_LITTLE = 5
_WORD = re.compile(r"[^\W\d_]{2}")
# Two words side by side: a sentence, not a name, a figure or a list of them.
_SENTENCE = re.compile(r"[^\W\d_]{2,} [^\W\d_]{2,}")


class Language(Protocol):
    """Says English texts in the reader's language."""

    def text(self, english: str) -> str:
        """The text; what it does not know stays as it is."""


class English:
    """The language of the sources."""

    def text(self, english: str) -> str:
        """The text itself."""
        return english


ENGLISH = English()


@dataclass(frozen=True)
class _Said:
    """A reading of a text, and how much of it was known: characters of templates' own words.

    Of two that know as much, the one in fewer pieces is better: made as one, it is said as one.
    """

    text: str
    words: int
    pieces: int = 0


@dataclass(frozen=True)
class _Template:
    """One text of the sources: how it is recognised, and how it is said."""

    landmark: str
    pattern: re.Pattern[str]
    said: str
    lines: bool
    words: int
    little: bool
    suffix: bool


class Catalogue:
    """A language by its templates: `entries` from English to it, `{0}` and `{site}` as places.

    `{count}` is filled with figures only. `contractions` are words that become one where a text is
    filled in behind another (`de el` is `del`).
    """

    def __init__(
        self, entries: Mapping[str, str], contractions: Mapping[str, str] | None = None
    ) -> None:
        self._contractions = [
            (re.compile(rf"\b{re.escape(words)}\b"), one)
            for words, one in (contractions or {}).items()
        ]
        self._literals = {english: said for english, said in entries.items() if "{" not in english}
        self._templates = tuple(
            _template(english, said) for english, said in entries.items() if "{" in english
        )
        self._suffixes = tuple(one for one in self._templates if one.suffix)

    def text(self, english: str) -> str:
        """The text in this language; what no template knows stays as it is."""
        return self._best(english, {}).text

    def _best(self, english: str, found: dict[str, _Said]) -> _Said:
        """Of all ways to read the text, the one that knows most of its words."""
        if not english:
            return _Said("", 0)
        if english in found:
            return found[english]
        found[english] = _Said(english, 0)  # what would read itself again is data
        if not _WORD.search(english) and english not in self._literals:
            return found[english]
        bare = english.strip(" ")
        readings = self._readings(english, found)
        best = max(readings, key=_worth)
        if bare and bare != english:
            at = english.index(bare)
            inner = self._best(bare, found)
            text = f"{english[:at]}{inner.text}{english[at + len(bare) :]}"
            best = max(best, replace(inner, text=text), key=_worth)
        found[english] = best
        return best

    def _readings(self, english: str, found: dict[str, _Said]) -> Iterator[_Said]:
        literal = self._literal(english)
        if literal is not None:
            yield _Said(literal, len(english), 1)
            return
        for template in self._templates:
            # What is filled into a line are no lines.
            if template.landmark in english and ("\n" in english) == template.lines:
                match = template.pattern.fullmatch(english)
                if match is not None:
                    yield from self._filled(template, match, found)
        for joint in _JOINTS:
            if joint in english:
                yield self._joined(english, joint, found)
        yield _Said(english, 0)

    def _literal(self, english: str) -> str | None:
        """A text without places; one that begins a title begins with a capital letter there."""
        known = self._literals.get(english)
        if known is None and english[0].isupper():
            begins = self._literals.get(english[0].lower() + english[1:])
            known = begins and begins[0].upper() + begins[1:]
        return known

    def _filled(
        self, template: _Template, match: re.Match[str], found: dict[str, _Said]
    ) -> Iterator[_Said]:
        parts = {
            name.removeprefix("p"): self._best(part, found)
            for name, part in match.groupdict().items()
        }
        if template.little and any(
            name.isdigit() and not part.words and _SENTENCE.search(part.text)
            for name, part in parts.items()
        ):
            return  # another program's sentence: whole in its own language, or nobody finds it
        text = _PLACE.sub(lambda place: parts[place[1]].text, template.said)
        for words, one in self._contractions:
            text = words.sub(one, text)
        yield _Said(
            text,
            template.words + sum(part.words for part in parts.values()),
            1 + sum(part.pieces for part in parts.values()),
        )

    def _joined(self, english: str, joint: str, found: dict[str, _Said]) -> _Said:
        # A name stands before the first colon only.
        first, *others = english.split(joint, 1 if joint == ": " else -1)
        parts = [self._best(first, found)]
        for other in others:
            alone = self._best(other, found)
            readings = [replace(alone, text=joint + alone.text)]
            parts.append(max((*readings, *self._suffixed(joint + other, found)), key=_worth))
        return _Said(
            "".join(part.text for part in parts),
            sum(part.words for part in parts),
            sum(part.pieces for part in parts),
        )

    def _suffixed(self, english: str, found: dict[str, _Said]) -> Iterator[_Said]:
        """Some texts begin with what joins them to the one before: `; ssh is kept open`."""
        literal = self._literals.get(english)
        if literal is not None:
            yield _Said(literal, len(english), 1)
        for template in self._suffixes:
            match = template.pattern.fullmatch(english)
            if match is not None:
                yield from self._filled(template, match, found)


def _worth(said: _Said) -> tuple[int, int]:
    """What readings are compared by."""
    return said.words, -said.pieces


def _template(english: str, said: str) -> _Template:
    pattern, landmark, at = "", "", 0
    named: set[str] = set()
    for place in _PLACE.finditer(english):
        fixed = english[at : place.start()]
        landmark = max(landmark, fixed, key=len)
        name = f"p{place[1]}"
        pattern += re.escape(fixed)
        filled = r"\d+" if place[1] == "count" else ".*?"
        pattern += f"(?P={name})" if name in named else f"(?P<{name}>{filled})"
        named.add(name)
        at = place.end()
    rest = english[at:]
    landmark = max(landmark, rest, key=len)
    whole = re.compile(pattern + re.escape(rest), re.DOTALL)
    own = _PLACE.sub("", english)
    little = sum(letter.isalpha() for letter in own) < _LITTLE
    suffix = english.startswith(_JOINTS)
    return _Template(landmark, whole, said, "\n" in english, len(own), little, suffix)
