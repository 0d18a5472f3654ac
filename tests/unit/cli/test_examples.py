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
    """Each command and group of commands, with its words."""
    yield path, command
    below = getattr(command, "commands", {})
    for name in below:
        yield from commands(below[name], (*path, name))


ALL = list(commands(typer.main.get_command(app), ("ucontact",)))


def at(words: list[str]) -> Any:
    """The command that a line calls."""
    command = dict(ALL)[("ucontact",)]
    for word in words[1:]:
        below = getattr(command, "commands", {})
        if word not in below:
            break
        command = below[word]
    return command


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*one, id=" ".join(one[0])) for one in ALL]
)
def test_the_help_has_two_or_three_examples(path: tuple[str, ...], command: Any) -> None:
    _, _, after = (command.help or "").partition("Examples:")
    examples = re.findall(r"^ +(ucontact .*)$", after, re.MULTILINE)
    assert 2 <= len(examples) <= 3
    for example in examples:
        words = shlex.split(example.partition(" -- ")[0])
        assert tuple(words[: len(path)]) == path
        options = {
            name
            for parameter in at(words).params
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in words if word.startswith("--")} <= options


def test_there_are_many() -> None:
    assert len(ALL) > 40


# What an option does is said by a verb. A new verb belongs here.
VERBS = re.compile(
    "(Act|Allow|Apply|Carry|Change|Compare|Connect|Continue|Do|Encrypt|Judge|Keep|Let|Lift|Limit|"
    "List|Log|Mail|Make|Measure|Offer|Overwrite|Place|Plan|Post|Register|"
    "Print|Read|Remove|Replace|Restore|Run|Send|Show|Start|Take|Use|Verify|Write|Install) .*[.]"
)


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*one, id=" ".join(one[0])) for one in ALL]
)
def test_the_help_of_an_option_says_what_it_does(path: tuple[str, ...], command: Any) -> None:
    said = {
        parameter.opts[0]: parameter.help or ""
        for parameter in command.params
        if parameter.opts[0].startswith("--") and not parameter.hidden
    }
    assert {name: text for name, text in said.items() if not VERBS.fullmatch(text)} == {}
