"""Manual pages of `ucontact` and each of its commands, from their own help texts.

Pages are in man(7) format, where a line that starts with a dot is a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import typer.main

from ucontact_appliance import __version__
from ucontact_appliance.cli.main import app
from ucontact_appliance.errors import EXIT_CODES

Words = tuple[str, ...]

_SITE_FILES = {
    "./site.yml": "The site file that a command uses when --site is left out.",
    "/etc/ucontact/site.yml": "A link to the site file that was installed last.",
    "/etc/ucontact/SITE/": "Secrets, keys, certificates and pinned ssh host keys of the site.",
    "/var/lib/ucontact/SITE/": "Journal, logs, saved runs of the doctor, and reports of the site.",
}
_RELEASE_FILES = {
    "/var/lib/ucontact/releases/": "Verified releases, each with its manifest.",
    "/etc/ucontact/publishers.d/": "Public keys of publishers (*.pem).",
    "/etc/ucontact/builders.d/": "Public keys of builders of evaluation releases (*.pem).",
}
_LAB_FILES = {"/var/lib/ucontact/lab/": "Images, machines and keys of the lab."}

_REMOTE_STATUS = {
    0: "The remote command ended with 0.",
    2: "The remote command ended with it, or this command was used wrongly.",
    3: "The remote command ended with it, or the server could not be reached.",
}
# Commands with exit codes of their own.
_OWN_EXIT_CODES: Mapping[Words, Mapping[int, str]] = {
    ("doctor", "export", "nagios"): {
        0: "OK: no check failed, and none warned.",
        1: "WARNING: a check warned.",
        2: "CRITICAL: a check failed.",
        3: "UNKNOWN: a check, or the whole run, could not be carried out.",
    },
    ("bans", "lift"): {
        **EXIT_CODES,
        1: "Nothing was banned by that name.",
        4: "A ban is still there after it was lifted.",
    },
    ("shell",): _REMOTE_STATUS,
    ("lab", "shell"): {0: _REMOTE_STATUS[0], 2: _REMOTE_STATUS[2]},
}
_ENVIRONMENT = {
    "LC_ALL, LC_MESSAGES, LANG": "The first one set chooses the language of findings, en or es.",
    "UCONTACT_ETC": "Folder to use instead of /etc/ucontact.",
    "UCONTACT_VAR": "Folder to use instead of /var/lib/ucontact.",
}


def pages(date: str) -> dict[str, str]:
    """Return the text of each page by its file name; `date` is shown in the footer."""
    tree = dict(command_tree())
    return {f"{_page_name(words)}.1": _page(words, tree, date) for words in tree}


def command_tree() -> Iterator[tuple[Words, Any]]:
    """Yield each visible command with its words, such as ("doctor", "history")."""

    def below(words: Words, command: Any) -> Iterator[tuple[Words, Any]]:
        yield words, command
        children: Mapping[str, Any] = getattr(command, "commands", {})
        for name in children:
            child = children[name]
            if not child.hidden:
                yield from below((*words, name), child)

    return below((), typer.main.get_command(app))


@dataclass(frozen=True)
class Help:
    """The help of a command, in parts; options and arguments are keyed by their notation."""

    usage: tuple[str, ...]
    paragraphs: tuple[str, ...]
    options: Mapping[str, str]
    arguments: Mapping[str, str]
    examples: tuple[str, ...]


def help_of(words: Words, command: Any) -> Help:
    """Return the help of a command of the tree, in parts."""
    context = typer.Context(command, info_name=" ".join(("ucontact", *words)))
    about, _, examples = (command.help or "").partition("Examples:")
    options, arguments = _parameters(command, context)
    return Help(
        usage=tuple(command.collect_usage_pieces(context)),
        paragraphs=tuple(" ".join(part.split()) for part in about.split("\n\n") if part.strip()),
        options=options,
        arguments=arguments,
        examples=tuple(line.strip() for line in examples.splitlines() if line.strip()),
    )


def _page(words: Words, tree: Mapping[Words, Any], date: str) -> str:
    help = help_of(words, tree[words])
    title = _page_name(words)
    sections = {
        "NAME": [f"{_text(title)} \\- {_text(_name_line(help.paragraphs[0]))}"],
        "SYNOPSIS": _synopsis(words, help.usage),
        "DESCRIPTION": _paragraphs([_text(part)] for part in help.paragraphs),
        "ARGUMENTS": _definitions(help.arguments),
        "OPTIONS": _definitions(help.options),
        "COMMANDS": _definitions(dict(_children(words, tree))),
        "EXIT STATUS": _definitions(_exit_codes(words)),
        "ENVIRONMENT": _definitions(_ENVIRONMENT) if not words else [],
        "FILES": _definitions(_files(words, tree)),
        "EXAMPLES": _paragraphs([".EX", _text(line), ".EE"] for line in help.examples),
        "SEE ALSO": [", ".join(_reference(other) for other in _related(words, tree))],
    }
    head = [
        '.\\" Made by installer/manpages.py from the help of the command line.',
        f'.TH "{_text(title.upper())}" "1" "{date}" "ucontact {__version__}" "uContact appliance"',
        ".ad l",
    ]
    body = [line for name, lines in sections.items() if lines for line in (f".SH {name}", *lines)]
    return "\n".join((*head, *body, ""))


def _page_name(words: Words) -> str:
    return "-".join(("ucontact", *words))


def _name_line(sentence: str) -> str:
    """Return the sentence in the form that apropos(1) lists."""
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _synopsis(words: Words, usage: Iterable[str]) -> list[str]:
    pieces = " ".join(f"\\fI{_text(piece)}\\fR" for piece in usage)
    return [f"\\fB{_text(' '.join(('ucontact', *words)))}\\fR {pieces}"]


def _parameters(command: Any, context: Any) -> tuple[dict[str, str], dict[str, str]]:
    options: dict[str, str] = {}
    arguments: dict[str, str] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)  # None if the parameter is hidden
        if record is not None:
            kind = arguments if parameter.param_type_name == "argument" else options
            kind[record[0]] = record[1]
    return options, arguments


def _children(words: Words, tree: Mapping[Words, Any]) -> Iterator[tuple[str, str]]:
    for other, command in tree.items():
        if other[:-1] == words and other:
            yield _page_name(other), (command.help or "").partition("\n\n")[0]


def _exit_codes(words: Words) -> dict[str, str]:
    codes = {str(code): text for code, text in _OWN_EXIT_CODES.get(words, EXIT_CODES).items()}
    return codes | {"128+N": "Ended by signal N; 130 after Ctrl-C."}


def _files(words: Words, tree: Mapping[Words, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    if any("--site" in parameter.opts for parameter in tree[words].params) or not words:
        found |= _SITE_FILES
    if words[:1] in ((), ("release",), ("install",)):
        found |= _RELEASE_FILES
    if words[:1] in ((), ("lab",)):
        found |= _LAB_FILES
    return found


def _paragraphs(parts: Iterable[list[str]]) -> list[str]:
    """Return the parts joined by requests for a new paragraph."""
    return [line for part in parts for line in (".PP", *part)][1:]


def _related(words: Words, tree: Mapping[Words, Any]) -> list[Words]:
    """Return the parent, sibling and child commands, sorted."""
    above = {words[:length] for length in range(len(words))}
    near = {other for other in tree if other and other[:-1] in (words, words[:-1])}
    return sorted((above | near) - {words})


def _reference(words: Words) -> str:
    return f"\\%\\fB{_text(_page_name(words))}\\fR(1)"  # \\%: do not hyphenate


def _definitions(rows: Mapping[str, str]) -> list[str]:
    return [line for term, text in rows.items() for line in (".TP", _term(term), _text(text))]


def _term(term: str) -> str:
    """Return the term in bold; the values of an option in italics."""
    first, *others = term.split() if term.startswith("-") else [term]
    taken = [f"\\f{'B' if word[0] in '-/' else 'I'}{_text(word)}\\fR" for word in others]
    return " ".join((f"\\fB{_text(first)}\\fR", *taken))


def _text(text: str) -> str:
    """Return the text on one line, with man(7)'s special characters escaped."""
    line = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    line = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", line)
    line = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", line)
    return f"\\&{line}" if line[:1] in (".", "'") else line
