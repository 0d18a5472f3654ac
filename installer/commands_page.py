"""The documentation page of all commands, from their own help texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import manpages

from ucontact_appliance.errors import EXIT_CODES


def page() -> str:
    """Return the page as Markdown."""
    tree = dict(manpages.command_tree())
    return "\n".join(
        (
            "# Commands",
            "",
            "Each command has a manual page too, such as `man ucontact-install`.",
            "",
            "Scripts can rely on the exit codes. `ucontact doctor export nagios` has those of",
            "a Nagios plugin instead, and `ucontact shell` those of the remote command.",
            "",
            *_table("exit code", "means", {str(code): text for code, text in EXIT_CODES.items()}),
            *(line for words in tree for line in _section(words, tree)),
        )
    )


def _section(words: manpages.Words, tree: Mapping[manpages.Words, object]) -> Iterator[str]:
    help = manpages.help_of(words, tree[words])
    yield f"## {' '.join(('ucontact', *words))}"
    yield ""
    for paragraph in help.paragraphs:
        yield from (paragraph, "")
    yield from ("```", *help.examples, "```", "")
    yield from _table("argument", "meaning", help.arguments)
    yield from _table("option", "does", help.options)


def _table(first: str, second: str, rows: Mapping[str, str]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {first} | {second} |"
    yield "|---|---|"
    for name, text in rows.items():
        cells = (f"`{name}`", " ".join(text.split()))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""
