"""Output that all commands share: consoles, errors, tables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.host_commands import named_site
from ucontact_appliance.language.catalogue import Translate
from ucontact_appliance.language.choice import Language, language_of, translation
from ucontact_appliance.language.messages import _
from ucontact_appliance.printable import printable, printable_json

INTERRUPTED = 130  # 128 + SIGINT, as in shells
# Without a terminal there is no screen width: wide tables are better than folded ones.
_PLAIN_WIDTH = 160


class SafeConsole(Console):
    """A console that prints control characters as escapes instead of sending them."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield the segments to print; only Rich's own may control the terminal."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def _console(*, stderr: bool = False) -> SafeConsole:
    # No emoji: Rich would replace the ":CD:" of a fingerprint with a picture of a disc.
    made = SafeConsole(stderr=stderr, emoji=False)
    if made.is_terminal:
        return made
    return SafeConsole(stderr=stderr, emoji=False, width=_PLAIN_WIDTH)


out = _console()
err = _console(stderr=True)


def reader(language: Language | None = None) -> Translate:
    """Return the function that translates into that language, or into the environment's."""
    return translation(language or language_of(os.environ))


def translated(text: str) -> str:
    """Return a message in the reader's language, and any other text unchanged."""
    return reader()(text)


def show_error(error: ApplianceError) -> None:
    """Print the error, its evidence and one command that helps to stderr, in the reader's language.

    If this command line has `--site FILE`, a `ucontact shell HOST` in the help gets it too.
    """
    translate = reader()
    _say(translate(_("error:")), "bold red", translate(error.what))
    for line in translate(error.evidence).splitlines():
        _say("", "", f"  {line}")
    named = _named_site_file(sys.argv)
    helps = translate(error.helps)
    helps = named_site(helps, named) if named else helps
    for index, line in enumerate(helps.splitlines()):
        _say("" if index else translate(_("try:")), "bold", line, "cyan")


def _named_site_file(words: Sequence[str]) -> Path | None:
    for word, after in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option == "--site" and (value if equals else after):
            return Path(value if equals else after).absolute()
    return None


def end_unchanged(code: int = 0) -> NoReturn:
    """End a command that the user cancelled before it changed anything."""
    err.print(f"\n{translated(_('nothing was changed'))}", highlight=False)
    raise typer.Exit(code)


def confirmed(question: str) -> bool:
    """Ask for yes or no, in English or the reader's language; Enter is no. Raises typer.Abort."""
    yes, no = translated(_("y")), translated(_("n"))
    words = {"": False, "y": True, "yes": True, "n": False, "no": False, yes: True, no: False}
    words[translated(_("yes"))] = True

    def judged(answer: str) -> bool:
        try:
            return words[answer.strip().lower()]
        except KeyError:
            raise typer.BadParameter(translated(_("invalid input"))) from None

    asked = f"{translated(question)} [{yes}/{no.upper()}]"
    return bool(typer.prompt(asked, default="", show_default=False, value_proc=judged))


def _say(label: str, label_style: str, text: str, style: str = "") -> None:
    """Print one line literally: wrapped by the terminal, never cut, never taken for markup."""
    shown = Text.assemble((label, label_style), " " if label else "", (text, style))
    err.print(shown, soft_wrap=True, highlight=False)


def show_json(document: Any) -> None:
    """Print one JSON document, and nothing else, on stdout."""
    typer.echo(printable_json(json.dumps(document, indent=2, ensure_ascii=False)))


def show_text(text: str, *, newline: bool = True, stderr: bool = False) -> None:
    """Print text for programs or for copying: never wrapped or styled."""
    typer.echo(printable(text), nl=newline, err=stderr)


def table(*columns: str, title: str | None = None, translate: Translate = translated) -> Table:
    """Return a table in the common style, with translated column heads."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(translate(column), overflow="fold")
    return made
