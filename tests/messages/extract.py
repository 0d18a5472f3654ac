"""The texts for people in the sources of checks and findings, as templates with `{0}`, `{1}`.

A text counts when it has a word of its own. Of a remedy only the note behind ` # ` is one: the
command before it means the same in every language.

Single words count where a judging function gets them, or an f-string chooses between them. What
the doctor's probes and clients raise is what a finding says: their errors count too, and the texts
in the tables of data/ that findings quote.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ucontact_appliance.resources import PACKAGE, load_data

_SCHEMA = PACKAGE / "findings/document.py"  # its texts describe the JSON document, for programmers
# Where texts for people are written that reach a finding.
SOURCES = (
    *sorted((PACKAGE / "checks").glob("*.py")),
    *sorted(set((PACKAGE / "findings").glob("*.py")) - {_SCHEMA}),
    *(PACKAGE / f"planning/{name}.py" for name in ("certificate_files", "certificates", "chains")),
    PACKAGE / "planning/shortfall.py",
)
# Whose errors become findings (findings/run.py). The others' are those of profile and install.
_NOT_THE_DOCTORS = ("capacity", "cards", "profile", "profile_parse", "profile_records", "survey")
RAISING = tuple(
    path
    for folder in ("facts", "clients")
    for path in sorted((PACKAGE / folder).glob("*.py"))
    if path.stem not in _NOT_THE_DOCTORS
)
_ERRORS = frozenset(
    ("ApplianceError", "UnreachableError", "UsageError", "TimeoutError", "ConnectionError")
) | {"NotStoredError", "LoginRefusedError"}
_JUDGING = frozenset(("passed", "failed", "warned", "skipped", "Judgement"))
_PLACE = re.compile(r"\{\w*\}")
_ONE_WORD = re.compile(r"[a-z]{3,}")
_WORD = re.compile(r"[A-Za-z']{2,}")
# A remedy, or a part of one; python's version can be a place.
_COMMAND = re.compile(
    r"^(\{ssh\}|\{install\}|(asterisk|chmod|date|echo|fail2ban-client|getent|grep|mv|ping|ssh|ssh-keygen"
    r"|systemctl|ucontact) \S|python\S* -m )|\S+ -m pip "
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
    found |= dict.fromkeys(_single_words(tree))
    texts = (_text(one) for one in found)
    return tuple(dict.fromkeys(text for text in texts if text))


def by_file() -> dict[str, tuple[str, ...]]:
    """Every text that a language must have, by the file of data/<language>/ that it belongs to."""
    raised = (text for path in RAISING for text in errors(path))
    return {f"{path.parent.name}-{path.stem}.yml": templates(path) for path in SOURCES} | {
        "errors.yml": tuple(dict.fromkeys(raised)),
        "words.yml": tables(),
    }


def errors(path: Path) -> tuple[str, ...]:
    """What the errors say that are raised there: what happened, and the note of what helps."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = [
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        if _name(node.exc.func) in _ERRORS
        for argument in (
            *node.exc.args[:1],
            *(one.value for one in node.exc.keywords if one.arg == "helps"),
        )
    ]
    made = [
        _template(one) if isinstance(one, ast.JoinedStr) else one.value
        for one in said
        if isinstance(one, ast.JoinedStr)
        or (isinstance(one, ast.Constant) and isinstance(one.value, str))
    ]
    return tuple(dict.fromkeys(text for text in map(_text, map(str, made)) if text))


def tables() -> tuple[str, ...]:
    """The texts of data/*.yml that findings quote."""
    ports, tls, systems = load_data("ports"), load_data("tls"), load_data("os")
    database = load_data("database")
    parts = systems["components"]
    texts = [
        *(row["for"] for row in ports["ports"]),
        *(row["title"] for row in tls["refused_ciphers"]),
        *(row[key] for row in parts for key in ("maker", "because")),
        *(row["title"] for row in parts if "'s " in row["title"]),  # the others are names
        *(row["why"] for row in database["settings"].values()),
    ]
    return tuple(dict.fromkeys(filter(None, texts)))


def _single_words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        said: list[ast.expr] = []
        if isinstance(node, ast.Call) and _name(node.func) in _JUDGING:
            said = [*node.args, *(one.value for one in node.keywords)]
        elif isinstance(node, ast.FormattedValue):
            said = [node.value]
        for one in said:
            yield from (word for word in _chosen(one) if _ONE_WORD.fullmatch(word))


def _chosen(node: ast.expr) -> Iterator[str]:
    """The constants that an expression can be: `a if b else c`, `a or b`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _chosen(node.body)
        yield from _chosen(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _chosen(value)


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


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
