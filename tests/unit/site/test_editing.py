"""Changes of site.yml by commands: what they write, and that they touch nothing else."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.editing import (
    with_extensions,
    with_trunk,
    without_extensions,
    without_trunk,
)

HEAD = """\
# our site
site: demo   # its name
fqdn: contact.example.com
agents:   10
hosts:
- {name: one,   address: 192.0.2.10}

"""
ROWS = """\
telephony:
    country: UY
    # agents
    extensions: ["6001", '6002']
    trunks:
        # the old line
        - {name: acme, host: sip.example.net, username: me}
        # the new line
        - name: other   # since May
          host: other.example.net
          prefix: "8"
# the end
"""
LINES = """\
telephony:
  extensions:
  # ground floor
  - "6001"  # Ana
  # first floor
  - "6002"  # Eva
  trunks:
  - {name: acme, host: sip.example.net}
recordings:
  retention_days: 30
"""


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, with their signs."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        (
            HEAD + ROWS,
            lambda text: with_extensions(text, ["6003"]),
            [
                """-    extensions: ["6001", '6002']""",
                """+    extensions: ["6001", '6002', "6003"]""",
            ],
        ),
        (HEAD + LINES, lambda text: with_extensions(text, ["6003"]), ['+  - "6003"']),
        (HEAD + LINES, lambda text: without_extensions(text, ["6001"]), ['-  - "6001"  # Ana']),
        (HEAD + LINES, lambda text: without_extensions(text, ["6002"]), ['-  - "6002"  # Eva']),
        (
            HEAD,
            lambda text: with_extensions(text, ["6003"]),
            ["+telephony:", '+  extensions: ["6001", "6002", "6003"]'],
        ),
        (
            HEAD + ROWS,
            lambda text: with_trunk(text, {"name": "x", "host": "192.0.2.1", "prefix": "7"}),
            ["+        - name: x", "+          host: 192.0.2.1", '+          prefix: "7"'],
        ),
        (
            HEAD + LINES,
            lambda text: with_trunk(text, {"name": "x", "codecs": ["alaw"], "register": True}),
            ["+  - {name: x, codecs: [alaw], register: true}"],
        ),
        (
            HEAD + ROWS,
            lambda text: without_trunk(text, "acme"),
            ["-        - {name: acme, host: sip.example.net, username: me}"],
        ),
        (
            HEAD + ROWS,
            lambda text: without_trunk(text, "other"),
            [
                "-        - name: other   # since May",
                "-          host: other.example.net",
                '-          prefix: "8"',
            ],
        ),
        (
            HEAD + LINES,
            lambda text: without_trunk(text, "acme"),
            ["-  trunks:", "-  - {name: acme, host: sip.example.net}"],
        ),
    ],
)
def test_only_the_lines_of_the_change_differ(
    text: str, change: Callable[[str], str], expected: list[str]
) -> None:
    assert changed(text, change(text)) == expected


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda: with_extensions(HEAD, ["6002"]), "the site already has the extension 6002"),
        (lambda: with_extensions(HEAD, ["6003", "6003"]), "already has the extension 6003"),
        (lambda: without_extensions(HEAD + LINES, ["6009"]), "the site has no extension 6009"),
        (lambda: with_trunk(HEAD + ROWS, {"name": "acme"}), "already has the trunk 'acme'"),
        (lambda: without_trunk(HEAD + ROWS, "none"), "the site has no trunk 'none'"),
    ],
)
def test_what_is_there_is_not_added_and_what_is_not_is_not_removed(
    change: Callable[[], str], what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        change()


def test_a_list_over_several_lines_is_written_in_one() -> None:
    text = HEAD + 'telephony:\n  extensions: ["6001",\n    "6002"]\n  country: UY  # ours\n'
    made = with_extensions(text, ["6003"])
    assert '  extensions: ["6001", "6002", "6003"]\n  country: UY  # ours\n' in made


def test_a_comment_that_would_be_lost_is_left_to_a_person() -> None:
    text = HEAD + 'telephony:\n  extensions: ["6001",  # Ana\n    "6002"]\n'
    with pytest.raises(UsageError, match="can't be changed automatically"):
        with_extensions(text, ["6003"])


_NUMBERS = st.lists(st.integers(10, 99999999).map(str), min_size=1, max_size=6, unique=True).filter(
    lambda numbers: not {"6001", "6002"} & set(numbers)
)


@settings(max_examples=20)
@given(_NUMBERS, st.sampled_from([HEAD + ROWS, HEAD + LINES]))
def test_removing_what_was_added_gives_the_text_back(numbers: list[str], text: str) -> None:
    assert without_extensions(with_extensions(text, numbers), numbers) == text
