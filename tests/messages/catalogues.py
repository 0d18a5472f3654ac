"""The gettext catalogues: which messages the sources have, and what a language has of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import typer.main
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from ucontact_appliance.cli.help_texts import paragraphs
from ucontact_appliance.cli.main import app
from ucontact_appliance.language.choice import CATALOGUES, DOMAIN, Language
from ucontact_appliance.planning.component_tables import package_requirements, phases, ports
from ucontact_appliance.resources import PACKAGE, TEMPLATES, load_data

_KEYWORDS = {"_": None, "ngettext": (1, 2)}
_WIDTH = 100
# gettext's own rule; CLDR has a third form for millions in Spanish.
_PLURALS = ("Plural-Forms", "nplurals=2; plural=(n != 1);")


def path_of(language: Language) -> Path:
    """The file that a translator edits."""
    return CATALOGUES / language.value / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: Language) -> Catalog:
    """The catalogue as it is."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language.value, domain=DOMAIN)


def save(catalogue: Catalog, path: Path) -> None:
    """Write it in the order of the sources, without their line numbers: those change daily."""
    written = BytesIO()
    write_po(written, catalogue, width=_WIDTH, no_location=True, omit_header=False)
    path.write_bytes(written.getvalue())


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue as programs read it."""
    written = BytesIO()
    write_mo(written, catalogue)
    return written.getvalue()


def updated(catalogue: Catalog) -> Catalog:
    """The catalogue with the sources' messages and no others; new ones are untranslated."""
    made = Catalog(
        locale=catalogue.locale,
        domain=DOMAIN,
        header_comment=catalogue.header_comment,
        project="uContact appliance",
        creation_date=catalogue.creation_date,
        revision_date=catalogue.revision_date,
        fuzzy=False,
    )
    made.mime_headers = [_PLURALS]
    for message in messages():
        known = catalogue.get(message if isinstance(message, str) else message[0])
        empty = "" if isinstance(message, str) else ("",) * catalogue.num_plurals
        fits = known is not None and isinstance(known.id, str) == isinstance(message, str)
        made.add(message, known.string if known is not None and fits else empty)
    return made


def messages() -> Iterator[str | tuple[str, ...]]:
    """Every message of the sources, in their order: a text, or its singular and plural."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from _of_module(ast.parse(path.read_text(encoding="utf-8")))
    for path in sorted(TEMPLATES.rglob("*.j2")):
        for _, message, _, _ in extract_from_file("jinja2.ext:babel_extract", path, _KEYWORDS):
            yield message
    yield from _of_tables()
    yield from help_paragraphs()


def _of_module(tree: ast.Module) -> Iterator[str | tuple[str, ...]]:
    """The messages of a module. Babel's own extractor does not see calls within calls."""
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        numbers = _KEYWORDS.get(call.func.id if isinstance(call.func, ast.Name) else "", 0)
        texts = tuple(
            one.value
            for one in call.args[: 1 if numbers is None else 2]
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        )
        if numbers is None and texts:
            yield texts[0]
        elif numbers and len(texts) == 2:
            yield texts


def help_paragraphs() -> Iterator[str]:
    """The help texts of the command line and of its options, a message per paragraph.

    Their source is the tree of commands: Typer wants plain texts.
    """
    for command, context in _commands(typer.main.get_command(app), "ucontact"):
        texts = [command.help, *(one.help for one in command.get_params(context))]
        for text in filter(None, texts):
            yield from (one for one in paragraphs(text) if not one.startswith(" "))


def _commands(command: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Each command with a context to ask it for its options."""
    yield command, typer.Context(command, info_name=name)
    below = getattr(command, "commands", {})
    for child in below:
        yield from _commands(below[child], child)


def _of_tables() -> Iterator[str]:
    """The texts of data/*.yml that findings quote."""
    required, capacity = package_requirements(), load_data("capacity")
    texts = [
        *(row.purpose for row in ports()),
        *(row["title"] for row in load_data("tls")["refused_ciphers"]),
        *(text for row in required for text in (row.maker, row.because)),
        *(row.title for row in required if "'s " in row.title),  # the others are names
        *(row.playbook.title for row in phases().values()),
        *(
            text
            for row in phases().values()
            if row.data
            for text in (row.data.title, row.data.move.title)
        ),
        *(row["why"] for row in load_data("database")["settings"].values()),
        *(row[key] for row in capacity["kinds"] for key in ("title", "because")),
        *capacity["telephony_server"]["not_measured"],
    ]
    yield from filter(None, texts)


def untranslated(catalogue: Catalog) -> list[str]:
    """The messages without a translation."""
    return [
        str(message.id) for message in catalogue if message.id and not _complete(message.string)
    ]


def _complete(translated: str | tuple[str, ...] | list[str]) -> bool:
    return all(translated) if isinstance(translated, tuple | list) else bool(translated)
