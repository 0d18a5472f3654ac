"""The help of every command has examples, of options that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from ucontact_appliance.cli.main import app


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command that does something, with its words."""
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield path, command
    for name in below:
        yield from commands(below[name], (*path, name))


_ALL = [
    pytest.param(path, command, id=" ".join(path))
    for path, command in commands(typer.main.get_command(app), ("ucontact",))
    if len(path) > 1
]


@pytest.mark.parametrize(("path", "command"), _ALL)
def test_the_help_has_two_or_three_examples(path: tuple[str, ...], command: Any) -> None:
    _, _, after = (command.help or "").partition("Examples:")
    examples = re.findall(r"^ +(ucontact .*)$", after, re.MULTILINE)
    assert 2 <= len(examples) <= 3
    options = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    for example in examples:
        words = shlex.split(example.partition(" -- ")[0])
        assert tuple(words[: len(path)]) == path
        assert {word for word in words if word.startswith("--")} <= options


def test_there_are_many() -> None:
    assert len(_ALL) > 30
