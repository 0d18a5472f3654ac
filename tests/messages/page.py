"""Every text of the report's page that its template says in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator

import jinja2
from jinja2 import nodes

from ucontact_appliance.report import html
from ucontact_appliance.resources import TEMPLATES

_SAYS = "t"


def page_texts() -> tuple[str, ...]:
    """Literals within `t(...)` of the template, `%s` as `{0}`, and the words that html.py picks."""
    source = (TEMPLATES / "report" / "report.html.j2").read_text(encoding="utf-8")
    tree = jinja2.Environment(autoescape=True).parse(source)
    said = [
        text
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == _SAYS
        for text in _literals(call.args[0])
    ]
    picked = (
        *html.VERDICTS.values(),
        *html.STATUSES.values(),
        *html.METHODS.values(),
        *html.FLAWS.values(),
        *html.DATES,
        *html.HEADLINES.values(),
        html.NOTHING,
        html.OWN,
        *html.PARTS,
    )
    return tuple(dict.fromkeys(_places(text) for text in (*said, *picked)))


def _literals(node: nodes.Node) -> Iterator[str]:
    """The texts that an expression can come to: those of both sides of an `if`, the left of `%`."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.Mod):
        yield from _literals(node.left)
    elif isinstance(node, nodes.CondExpr):
        yield from _literals(node.expr1)
        if node.expr2 is not None:
            yield from _literals(node.expr2)


def _places(text: str) -> str:
    for number in range(text.count("%s")):
        text = text.replace("%s", f"{{{number}}}", 1)
    return text
