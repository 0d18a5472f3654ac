"""No remedy and no error's help names a command of `ucontact` that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import remedies
from tests.remedies import (
    FILLED,
    INSTEAD,
    NOT_RUN,
    REMEDIES,
    helps,
    on_servers,
    own_commands,
    parse,
)
from ucontact_appliance.checks.wording import RemedyFormatter
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.model import Host

_OPS = Host(name="one", address="192.0.2.1", user="ops", port=2222, key=Path("/k"))
_WORDING = RemedyFormatter(Path("/srv/site.yml"), ())
_COMMANDS = sorted({tuple(words) for line in (*REMEDIES, *helps()) for words in own_commands(line)})


@pytest.mark.parametrize("words", _COMMANDS, ids=" ".join)
def test_the_command_line_knows_what_it_is_told_to_try(words: tuple[str, ...]) -> None:
    parse(words)


@pytest.mark.parametrize("wrong", ["ucontact instal", "ucontact doctor --deap", "ucontact lab upp"])
def test_a_command_that_is_not_there_would_be_found(wrong: str) -> None:
    with pytest.raises(Exception, match=r"no command|o such option"):
        parse(wrong.split())


def test_enough_commands_are_found() -> None:
    assert len(_COMMANDS) > 40
    assert ("ucontact", "doctor", "timer", "set", "--at", "03:30") in _COMMANDS
    assert len(on_servers()) > 80
    assert "asterisk -rx 'rtp show settings'" in on_servers()


@pytest.mark.parametrize("line", [*REMEDIES, *helps()])
def test_no_ssh_options_are_printed(line: str) -> None:
    told = _WORDING.remedy(line, _OPS)
    assert not re.search(r"StrictHostKeyChecking|UserKnownHostsFile|(?<![\w-])ssh -", told), told


def test_each_that_is_filled_in_has_a_sample_and_no_sample_is_stale() -> None:
    assert remedies.unfilled() == []
    assert [one for one in FILLED if one not in REMEDIES] == []
    assert [one for one in (*INSTEAD, *NOT_RUN) if one not in on_servers()] == []


def test_every_command_is_run_on_some_server_of_the_suites() -> None:
    # A small site has all roles; a medium one's telephony server runs an older Asterisk.
    everything = frozenset(Role)
    assert [one for one in on_servers() if not remedies.concerns(one, everything)] == []
    telephony = [one for one in on_servers() if remedies.concerns(one, {Role.TELEPHONY})]
    assert any("asterisk -rx" in one for one in telephony)
    assert not any("mysql" in one for one in telephony if "journalctl" not in one)
