"""The journal survives anything, and tells what changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.install.journal import (
    Journal,
    Progress,
    entry,
    inputs_diff,
    load_journal,
    save_journal,
)


def test_there_is_none_before_the_first_install(tmp_path: Path) -> None:
    assert load_journal(tmp_path / "journal.json") == Journal()
    assert not Journal().interrupted


def test_it_reads_back_what_was_written(tmp_path: Path) -> None:
    journal = Journal(inputs={"site": {"agents": 3}}, progress=Progress.STARTED)
    journal = journal.with_entry(entry("base", Progress.DONE, changed=2, seconds=1.26))
    save_journal(tmp_path / "journal.json", journal)
    assert load_journal(tmp_path / "journal.json") == journal
    assert journal.finished("base")
    assert journal.interrupted


def test_a_phase_has_one_entry_its_newest() -> None:
    journal = Journal().with_entry(entry("base", Progress.STARTED))
    journal = journal.with_entry(entry("base", Progress.FAILED, error="boom"))
    assert [e.progress for e in journal.phases] == [Progress.FAILED]
    assert not journal.finished("base")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"phases": 3}', b'{"other": 1}'])
def test_a_damaged_journal_is_named_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(content)
    with pytest.raises(UnreachableError) as caught:
        load_journal(path)
    assert str(path) in caught.value.helps


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4))
def test_same_inputs_have_no_difference(inputs: dict[str, object]) -> None:
    assert inputs_diff(inputs, dict(inputs)) == ""


def test_changed_inputs_show_old_and_new() -> None:
    told = inputs_diff({"agents": 10}, {"agents": 12}).splitlines()
    assert "-agents: 10" in told
    assert "+agents: 12" in told
