"""Lifting bans: what is run on the server, and what is believed afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.checks.subjects import big_site
from tests.unit.facts.outputs import recorded
from ucontact_appliance.errors import PhaseFailedError, UnreachableError
from ucontact_appliance.facts.bans import HostBans, parse_target
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.operate import bans
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

LOOK = recorded("bans-sid")
EMPTY = "\n".join(
    line for line in LOOK.replace('"elem": [', '"gone": [').splitlines() if " = 2026-" not in line
)


class Server:
    """A telephony server that answers looks with these texts, and the last of them for ever."""

    def __init__(self, *looks: str, status: int = 0) -> None:
        self.looks = list(looks)
        self.status = status
        self.commands: list[list[str]] = []
        self.stdin = ""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = 0,
    ) -> Completed:
        if argv[0] == "sh":
            text = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            return Completed(tuple(argv), 0, text, "", 0.0)
        self.commands.append(list(argv))
        self.stdin += stdin or ""
        return Completed(tuple(argv), self.status, "", "refused" if self.status else "", 0.0)


@pytest.fixture
def here(tmp_path: Path) -> Installed:
    site = big_site()
    paths = StatePaths(tmp_path / "etc", tmp_path / "var")
    return Installed(site, tmp_path / "site.yml", make_plan(site, {}), Secrets({}), paths)


def serving(monkeypatch: pytest.MonkeyPatch, server: Server) -> list[str]:
    asked: list[str] = []

    @contextmanager
    def runner_for(host: object, ssh: object) -> Iterator[Server]:
        asked.append(getattr(host, "name", ""))
        yield server

    monkeypatch.setattr(bans, "runner_for", runner_for)
    return asked


def test_an_address_is_lifted_in_every_jail(
    monkeypatch: pytest.MonkeyPatch, here: Installed
) -> None:
    server = Server(LOOK, EMPTY)
    asked = serving(monkeypatch, server)
    (done,) = bans.lift(here, parse_target("198.51.100.9"))
    assert asked == ["tel"]
    assert done.host == "tel"
    assert [ban.jail for ban in done.bans] == ["ucontact-asterisk", "ucontact-connection"]
    assert server.commands == [
        ["fail2ban-client", "set", "ucontact-asterisk", "unbanip", "198.51.100.9"],
        ["fail2ban-client", "set", "ucontact-connection", "unbanip", "WSS/198.51.100.9/50123"],
    ]


def test_what_no_jail_knows_is_deleted_from_its_set(
    monkeypatch: pytest.MonkeyPatch, here: Installed
) -> None:
    server = Server(LOOK, EMPTY)
    serving(monkeypatch, server)
    (done,) = bans.lift(here, parse_target("203.0.113.5"))
    assert len(done.bans) == 1
    assert server.commands == [["nft", "-f", "-"]]
    assert server.stdin.splitlines() == [
        "add element inet ucontact_sip banned-ip { 203.0.113.5 }",
        "delete element inet ucontact_sip banned-ip { 203.0.113.5 }",
    ]


def test_all_of_them(monkeypatch: pytest.MonkeyPatch, here: Installed) -> None:
    server = Server(LOOK, EMPTY)
    serving(monkeypatch, server)
    (done,) = bans.lift(here, None)
    assert len(done.bans) == 8
    assert [command[2] for command in server.commands[:-1]] == [
        "sshd",
        "ucontact-asterisk",
        "ucontact-connection",
        "ucontact-datagram",
    ]
    assert "delete element inet ucontact_sip datagrams-ip { 203.0.113.81 }" in server.stdin
    assert "delete element inet ucontact_sip refused-ip6 { 2001:db8::5 . 40000 }" in server.stdin


def test_nothing_is_run_for_what_is_not_banned(
    monkeypatch: pytest.MonkeyPatch, here: Installed
) -> None:
    server = Server(LOOK)
    serving(monkeypatch, server)
    (done,) = bans.lift(here, parse_target("192.0.2.1"))
    assert (done.bans, server.commands) == ((), [])


def test_a_ban_that_stays_is_an_error(monkeypatch: pytest.MonkeyPatch, here: Installed) -> None:
    serving(monkeypatch, Server(LOOK, status=255))
    with pytest.raises(PhaseFailedError, match=r"tel: 2 of 2 bans are still in force") as raised:
        list(bans.lift(here, parse_target("198.51.100.9")))
    assert "refused" in raised.value.evidence


def test_a_silent_fail2ban_is_an_error_and_not_an_empty_list(
    monkeypatch: pytest.MonkeyPatch, here: Installed
) -> None:
    at = LOOK.index("---- jail sshd"), LOOK.index("---- set banned-ip")
    silent = f"---- zone\n+0000\n---- jails\nIs fail2ban running?\n{LOOK[at[1] :]}"
    assert at[0] < at[1]
    serving(monkeypatch, Server(silent, EMPTY))
    found = bans.site_bans(here)["tel"]
    assert isinstance(found, HostBans)
    assert (len(found.bans), found.error) == (6, "fail2ban: Is fail2ban running?")
    serving(monkeypatch, Server(silent, EMPTY))
    with pytest.raises(UnreachableError, match=r"some bans could not be read"):
        list(bans.lift(here, None))


def test_an_answer_that_nothing_understands_is_told_with_its_host(
    monkeypatch: pytest.MonkeyPatch, here: Installed
) -> None:
    serving(monkeypatch, Server("rubbish"))
    found = bans.site_bans(here)["tel"]
    assert isinstance(found, UnreachableError)
    assert found.what.startswith("host tel")
