"""A message is its English text and remembers what it was made from."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.language.messages import (
    Message,
    _,
    concatenated,
    joined,
    mapped,
    ngettext,
    verbatim,
    with_note,
)

DISKS = _("{count} of {total:.1f} disks", count=2, total=3)


def test_a_message_is_its_english_text() -> None:
    assert DISKS == "2 of 3.0 disks"
    assert {DISKS: 1}["2 of 3.0 disks"] == 1
    assert _("100 % {raw}") == "100 % {raw}"  # without values nothing is filled in


@pytest.mark.parametrize(("count", "text"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors")])
def test_a_number_chooses_the_form(count: int, text: str) -> None:
    assert ngettext("{count} error", "{count} errors", count) == text


def test_parts_stay_messages() -> None:
    whole = joined("; ", [DISKS, "", "/dev/sda"])
    assert whole == "2 of 3.0 disks; ; /dev/sda"
    assert DISKS in whole.parts
    assert (DISKS + ", full").parts == (DISKS, ", full")
    assert ("full: " + DISKS).parts == ("full: ", DISKS)
    assert concatenated([]) == ""
    assert with_note("df -h", _("then wait")) == "df -h  # then wait"


def test_an_error_that_carries_a_message_is_filled_in_as_one() -> None:
    error = OSError(DISKS)
    assert isinstance(_("failed: {error}", error=error).values["error"], Message)
    assert _("failed: {error}", error=OSError("no route")) == "failed: no route"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copy_is_the_same_message(copied: object) -> None:
    assert callable(copied)
    one = copied(DISKS)
    assert (one, one.template, one.values) == (DISKS, DISKS.template, DISKS.values)


def test_values_are_changed_within_a_message() -> None:
    text = _("{user} on {disks}", user="root", disks=joined(", ", ["root", "b"]))
    changed = mapped(text, lambda part: part.replace("root", "***"))
    assert changed == "*** on ***, b"
    assert isinstance(changed, Message)
    assert changed.template == text.template


def test_what_stands_across_values_is_changed_too() -> None:
    """A secret that is in no value alone must not be shown for the sake of a translation."""
    text = _("{a}{b}", a="hunter", b="2")
    changed = mapped(text, lambda part: part.replace("hunter2", "***"))
    assert changed == "***"
    assert not isinstance(changed, Message)


@given(st.text(), st.text())
def test_values_are_never_templates(first: str, second: str) -> None:
    assert _("{first} {second}", first=first, second=second) == f"{first} {second}"
    assert verbatim(first) == first
