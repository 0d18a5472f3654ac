"""What every command shares on screen: consoles, errors, tables."""

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

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
# Without a terminal nobody sees the edge of a screen: tables get room instead of folds.
_PLAIN_WIDTH = 160


class SafeConsole(Console):
    """A console that shows control characters of what it prints instead of sending them."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """The segments of what is printed; only Rich's own may control the terminal."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def _console(*, stderr: bool = False) -> SafeConsole:
    # No emoji: of a fingerprint's ":CD:" Rich would make a picture of a disc.
    made = SafeConsole(stderr=stderr, emoji=False)
    if made.is_terminal:
        return made
    return SafeConsole(stderr=stderr, emoji=False, width=_PLAIN_WIDTH)


out = _console()
err = _console(stderr=True)


def reader(language: Language | None = None) -> Translate:
    """Return what translates into that language, or into the environment's."""
    return translation(language or language_of(os.environ))


def translated(text: str) -> str:
    """The text in the reader's language, if it is a message; any other as it is."""
    return reader()(text)


def show_error(error: ApplianceError) -> None:
    """What happened, the evidence, and one command that helps, on stderr, in the reader's language.

    A command that is about a host names the site file that this command line named, if it did.
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
    """End a command that somebody thought better of, before it changed anything."""
    err.print(f"\n{translated(_('nothing was changed'))}", highlight=False)
    raise typer.Exit(code)


def confirmed(question: str) -> bool:
    """Ask for yes or no, by the words of the reader's language too. Raises typer.Abort.

    Enter alone is no.
    """
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
    """One line as it is: wrapped by the terminal, never cut, never taken for markup."""
    shown = Text.assemble((label, label_style), " " if label else "", (text, style))
    err.print(shown, soft_wrap=True, highlight=False)


def show_json(document: Any) -> None:
    """One JSON document on stdout, nothing else there."""
    typer.echo(printable_json(json.dumps(document, indent=2, ensure_ascii=False)))


def show_text(text: str, *, newline: bool = True, stderr: bool = False) -> None:
    """Text for programs or for copying: never wrapped or styled."""
    typer.echo(printable(text), nl=newline, err=stderr)


def table(*columns: str, title: str | None = None, translate: Translate = translated) -> Table:
    """A table in the house's look, with its heads translated."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(translate(column), overflow="fold")
    return made
