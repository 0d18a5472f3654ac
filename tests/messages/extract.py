"""The texts for people in the checks' sources, as templates: `{0}`, `{1}` are filled in.

A text counts when it has a word of its own. Of a remedy only the note behind ` # ` is one: the
command before it means the same in every language.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ucontact_appliance.resources import PACKAGE

_SCHEMA = PACKAGE / "checks/document.py"  # its texts describe the JSON document, for programmers
# Where texts for people are written that reach a finding.
SOURCES = (
    *sorted(set((PACKAGE / "checks").glob("*.py")) - {_SCHEMA}),
    PACKAGE / "planning/certificates.py",
    PACKAGE / "planning/shortfall.py",
)
_PLACE = re.compile(r"\{\w*\}")
_WORD = re.compile(r"[A-Za-z']{2,}")
# A remedy, or a part of one; python's version can be a place.
_COMMAND = re.compile(
    r"^(\{ssh\}|\{install\}|(asterisk|chmod|date|echo|grep|mv|ping|ssh|systemctl|ucontact) \S"
    r"|python\S* -m )|\S+ -m pip "
)
# What nftables, MySQL and identifiers are made of, and is the same for everybody.
_CODE = re.compile(
    r"(ct state|iif|ip6? |meta |ALTER |REQUIRE |SHOW GRANTS|UserKnownHosts|----).*"
    r"|[\w{}-]+([./][\w{}-]*)+|trunk-\{\w*\}",
    re.DOTALL,
)
_NOTE = re.compile(r"\s# (?P<note>.+)$", re.DOTALL)


def templates(path: Path) -> tuple[str, ...]:
    """Every text of that source, each once, in the order of the source."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed_over = set(_not_texts(tree))
    found: dict[str, None] = {}  # a set that keeps its order
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in passed_over:
            found.setdefault(_template(node))
        elif _is_words(node) and id(node) not in passed_over:
            found.setdefault(ast.literal_eval(node))
    texts = (_text(one) for one in found)
    return tuple(dict.fromkeys(text for text in texts if text))


def _not_texts(tree: ast.Module) -> Iterator[int]:
    """Docstrings, the parts and format specifications of f-strings, and patterns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield id(first.value)
        elif isinstance(node, ast.JoinedStr):
            yield from (id(part) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            yield id(node.format_spec)
        elif isinstance(node, ast.Call) and _is_pattern(node.func):
            yield from (id(argument) for argument in node.args)


def _is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def _is_pattern(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
    )


def _template(node: ast.JoinedStr) -> str:
    made, count = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            made += str(part.value)
        else:
            made += f"{{{count}}}"
            count += 1
    return made


def _text(template: str) -> str:
    """What of it is for people; empty when nothing is."""
    if _COMMAND.search(template):
        note = _NOTE.search(template)
        template = note["note"] if note else ""
    template = template.strip().removeprefix("# ")  # a remedy's note in a string of its own
    if _CODE.fullmatch(template):
        return ""
    words = _WORD.findall(_PLACE.sub(" ", template))
    return _numbered(template.strip()) if words else ""


def _numbered(template: str) -> str:
    """Its places from {0} on, in order; {install} and the like as they are."""
    numbers = iter(range(100))
    return re.sub(r"\{\d*\}", lambda _: f"{{{next(numbers)}}}", template)
