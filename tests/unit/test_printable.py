"""What others wrote reaches the screen as text."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ucontact_appliance.cli.console import SafeConsole
from ucontact_appliance.printable import has_control, printable, printable_json

ATTACK = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egpj.exe\r\x08\x00\u2028"


@pytest.mark.parametrize("text", ["plain", "línea ñ\ttab\nnext", "日本語", "a\\x1b"])
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text
    assert not has_control(text)


@given(st.text(st.characters()))
def test_nothing_that_is_printed_controls_a_terminal(text: str) -> None:
    assert not has_control(printable(text))
    printable(text).encode()


def test_a_control_character_is_shown() -> None:
    assert printable("a\x1b[1mb\u202ec") == r"a\x1b[1mb\u202ec"


@given(st.text())
def test_a_json_document_keeps_its_value(text: str) -> None:
    document = printable_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(document) == {text: [text]}
    assert not has_control(document)


def shown(*things: object, terminal: bool = True) -> str:
    stream = io.StringIO()
    console = SafeConsole(file=stream, force_terminal=terminal, width=100, color_system=None)
    console.print(*things)
    return stream.getvalue()


def a_table() -> Table:
    table = Table(title=escape(ATTACK))
    table.add_column(escape(ATTACK))
    table.add_row(Text(ATTACK))
    table.add_row(escape(ATTACK))
    return table


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("thing", [ATTACK, Text(ATTACK), escape(ATTACK), a_table()])
def test_no_way_of_printing_lets_an_escape_through(thing: object, terminal: bool) -> None:
    said = shown(thing, terminal=terminal)
    assert not has_control(said)
    assert r"\x1b" in said


def test_live_progress_still_moves_the_cursor_but_nobody_elses_text_does() -> None:
    stream = io.StringIO()
    console = SafeConsole(file=stream, force_terminal=True, width=100, color_system=None)
    with Live(Text(ATTACK), console=console, auto_refresh=False) as live:
        live.refresh()
        console.print(ATTACK)
    said = stream.getvalue()
    assert "\x1b[?25l" in said  # Rich's own: the cursor is hidden
    for part in ("\x1b[2J", "\x1b]0;", "\x9b", "\u202e"):
        assert part not in said
