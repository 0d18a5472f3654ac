"""Change site.yml as an editor would: comments, order and quotes stay, other lines are not touched.

ruamel.yaml writes the changed document. It also writes other lines anew (indentation, spaces), so
only the lines that the change itself makes different are taken from it.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.telephony import Telephony
from ucontact_appliance.site.values import LOCAL

# ruamel.yaml's (mapping, sequence, offset), in the order in which they are tried.
_INDENTS = ((2, 4, 2), (2, 2, 0), (4, 4, 0), (4, 6, 4), (4, 4, 2), (3, 3, 0), (3, 5, 3))
_SECTION = "telephony"
_COMMENT = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)

Document = MutableMapping[str, Any]


def with_extensions(text: str, numbers: Sequence[str]) -> str:
    """Return site.yml with these extensions added. Raises UsageError for one that it has."""

    def change(document: Document) -> None:
        known = _extensions(document)
        for number in numbers:
            if number in map(str, known):
                raise UsageError(_("the site already has the extension {number}", number=number))
            known.append(DoubleQuotedScalarString(number))

    return _edited(text, change)


def without_extensions(text: str, numbers: Sequence[str]) -> str:
    """Return site.yml without these extensions. Raises UsageError for one that it does not have."""

    def change(document: Document) -> None:
        known = _extensions(document)
        for number in numbers:
            names = [str(one) for one in known]
            if number not in names:
                raise UsageError(
                    _("the site has no extension {number}", number=number),
                    evidence=_("it has: {names}", names=", ".join(names)),
                )
            del known[names.index(number)]

    return _edited(text, change)


def with_trunk(text: str, trunk: Mapping[str, Any]) -> str:
    """Return site.yml with the trunk added last. Raises UsageError for a name that it has."""

    def change(document: Document) -> None:
        known = _rows(_section(document), "trunks")
        if trunk["name"] in (row["name"] for row in known):
            raise UsageError(_("the site already has the trunk {name!r}", name=trunk["name"]))
        known.append(_like_the_last(known, trunk))

    return _edited(text, change)


def without_trunk(text: str, name: str) -> str:
    """Return site.yml without the trunk. Raises UsageError for a name that it does not have."""

    def change(document: Document) -> None:
        known = _rows(_section(document), "trunks")
        names = [row["name"] for row in known]
        if name not in names:
            raise UsageError(
                _("the site has no trunk {name!r}", name=name),
                evidence=_("it has: {names}", names=", ".join(names) or _("none")),
            )
        del known[names.index(name)]
        if not known:  # `trunks:` with nothing below is no list
            del document[_SECTION]["trunks"]

    return _edited(text, change)


def with_host_keys(text: str, key: str) -> str:
    """Return site.yml with this ssh private key for every server that is reached by ssh."""

    def change(document: Document) -> None:
        for host in document["hosts"]:
            if host["address"] != LOCAL:
                host["key"] = key

    return _edited(text, change)


def with_release(text: str, release: str | None) -> str:
    """Return site.yml with that release; without the key if it is None."""

    def change(document: Document) -> None:
        if release is not None:
            document["release"] = _scalar(release)
        else:
            document.pop("release", None)

    return _edited(text, change)


def _extensions(document: Document) -> MutableSequence[Any]:
    """Return the list of extensions; where site.yml has none, the default ones are written."""
    section = _section(document)
    if "extensions" not in section:
        default = Telephony.model_fields["extensions"].default
        section["extensions"] = _flow([DoubleQuotedScalarString(number) for number in default])
    found: MutableSequence[Any] = section["extensions"]
    return found


def _section(document: Document) -> Document:
    if not document.get(_SECTION):
        document[_SECTION] = CommentedMap()
    found: Document = document[_SECTION]
    return found


def _rows(section: Document, name: str) -> MutableSequence[Any]:
    if not section.get(name):
        section[name] = CommentedSeq()
    found: MutableSequence[Any] = section[name]
    return found


def _flow(values: Sequence[Any]) -> CommentedSeq:
    made = CommentedSeq(values)
    made.fa.set_flow_style()
    return made


def _like_the_last(known: Sequence[Any], row: Mapping[str, Any]) -> CommentedMap:
    """Return the row in one line (`{...}`) where the list's last row is, else in lines."""
    made = CommentedMap(
        (key, _flow(value) if isinstance(value, list) else _scalar(value))
        for key, value in row.items()
    )
    last = known[-1] if known else None
    if not isinstance(last, CommentedMap) or last.fa.flow_style():
        made.fa.set_flow_style()
    return made


def _scalar(value: Any) -> Any:
    """Return a text that YAML would read as a number, such as '9', in quotes."""
    if isinstance(value, str) and not isinstance(yaml.safe_load(value), str):
        return DoubleQuotedScalarString(value)
    return value


def _edited(text: str, change: Callable[[Document], None]) -> str:
    """Return the text with the change made. Raises UsageError where only a person can make it."""
    wanted = yaml.safe_load(text)
    change(wanted)
    writer = _writer(text)
    before = _written(writer, writer.load(text))
    document = writer.load(text)
    change(document)
    after = _written(writer, document)
    made = _merged(text, before, after)
    if made is None and _comments(text) <= _comments(after):
        made = after
    if made is not None and yaml.safe_load(made) == wanted:
        return made
    raise UsageError(
        _("this file's YAML can't be changed automatically"),
        helps=_("change it in an editor, then: ucontact apply"),
    )


def _merged(text: str, before: str, after: str) -> str | None:
    """Return the text with the lines in which `after` differs from `before`, its own rewriting.

    None if lines of the text and of `before` do not correspond. Comments stay, also beside what was
    removed: a person may have written there what nobody else knows.
    """
    mine, old, new = (one.splitlines(keepends=True) for one in (text, before, after))
    if len(mine) != len(old):
        return None
    made: list[str] = []
    differences = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for kind, first, last, begin, end in differences:
        if kind == "equal":
            made += mine[first:last]
            continue
        fresh = new[begin:end]
        made += fresh
        made += [one for one in mine[first:last] if _is_comment(one) and one not in fresh]
    return "".join(made)


def _comments(text: str) -> set[str]:
    """Return all comments; ruamel.yaml loses one within a list in brackets over several lines."""
    return {found.group().strip() for found in _COMMENT.finditer(text)}


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _writer(text: str) -> YAML:
    """Return the writer whose indentation leaves most lines of the text as they are."""
    tried: list[tuple[int, YAML]] = []
    for indent in _INDENTS:
        writer = _indenting(*indent)
        rewritten = _rewritten_lines(writer, text)
        if rewritten == 0:
            return writer
        tried.append((rewritten, writer))
    return min(tried, key=lambda one: one[0])[1]


def _rewritten_lines(writer: YAML, text: str) -> int:
    lines = text.splitlines()
    written = _written(writer, writer.load(text)).splitlines()
    return abs(len(lines) - len(written)) + sum(
        one != other for one, other in zip(lines, written, strict=False)
    )


def _indenting(mapping: int, sequence: int, offset: int) -> YAML:
    made = YAML()
    made.preserve_quotes = True
    made.width = 1 << 20  # never fold a line
    made.indent(mapping=mapping, sequence=sequence, offset=offset)
    return made


def _written(writer: YAML, document: Any) -> str:
    stream = io.StringIO()
    writer.dump(document, stream)
    return stream.getvalue()
