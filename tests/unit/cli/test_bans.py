"""`ucontact bans`: what is shown, what is refused, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.cli import bans
from ucontact_appliance.cli.main import main
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.bans import HostBans, Target, parse_bans
from ucontact_appliance.operate.bans import LiftedBans
from ucontact_appliance.operate.installed import Installed, save_plan
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.current import remember_site
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths

SITE = "site: demo\nfqdn: c.example.com\nagents: 10\nhosts:\n  - {name: one, address: 192.0.2.10}\n"
FOUND = parse_bans(recorded("bans-sid"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "here.yml"
    path.write_text(SITE)
    loaded = load_site(path)
    save_plan(state_paths(loaded.site), make_plan(loaded, {}))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["ucontact", "bans", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def finding(monkeypatch: pytest.MonkeyPatch, seen: HostBans | UnreachableError) -> None:
    monkeypatch.setattr(bans, "site_bans", lambda here: {"one": seen})


def test_the_table(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding(monkeypatch, FOUND)
    assert run(monkeypatch, "list", "--site", str(site)) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert shown[1:] == [
        "one sshd 198.51.100.10 2026-11-28 23:10:57 2026-11-28 23:20:57 in force",
        "one ucontact-asterisk 198.51.100.9 2026-11-28 23:10:54 2026-11-29 00:10:54 in force",
        "one ucontact-asterisk 2001:db8::9 2026-11-28 23:10:54 2026-11-29 00:10:54 "
        "not enforced: missing in nftables",
        "one ucontact-connection WSS/198.51.100.9/50123 2026-11-28 23:12:59 2026-11-28 23:13:59 "
        "in force",
        "one ucontact-datagram 203.0.113.80 2026-11-28 23:12:59 2026-11-29 00:12:59 in force",
        "one - 203.0.113.5 unknown unknown stale: unknown to fail2ban",
        "one - TCP/2001:db8::5/40000 unknown unknown stale: unknown to fail2ban",
        "one - UDP/203.0.113.81 unknown unknown stale: unknown to fail2ban",
    ]


def test_the_document(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding(monkeypatch, FOUND)
    assert run(monkeypatch, "list", "--json", "--site", str(site)) == 0
    document = json.loads(capsys.readouterr().out)
    (host,) = document["hosts"]
    assert (document["site"], host["name"], host["error"]) == ("demo", "one", None)
    assert host["bans"][3] == {
        "jail": "ucontact-connection",
        "id": "WSS/198.51.100.9/50123",
        "address": "198.51.100.9",
        "port": 50123,
        "since": "2026-11-28T23:12:59+00:00",
        "until": "2026-11-28T23:13:59+00:00",
        "state": "in-force",
    }
    assert (host["bans"][5]["jail"], host["bans"][5]["state"]) == (None, "left-over")


def test_nothing_is_banned(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding(monkeypatch, HostBans(()))
    assert run(monkeypatch, "list", "--site", str(site)) == 0
    assert "nothing is banned on one" in capsys.readouterr().out


@pytest.mark.parametrize(
    "seen",
    [HostBans((), "fail2ban: Is fail2ban running?"), UnreachableError("host one is away")],
)
def test_what_could_not_be_read_is_no_empty_list(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seen: HostBans | UnreachableError,
) -> None:
    finding(monkeypatch, seen)
    assert run(monkeypatch, "list", "--json", "--site", str(site)) == 3
    captured = capsys.readouterr()
    (host,) = json.loads(captured.out)["hosts"]
    assert host["error"]["what"]
    assert "error: " in captured.err
    assert run(monkeypatch, "list", "--site", str(site)) == 3


def lifting(monkeypatch: pytest.MonkeyPatch, *done: LiftedBans) -> list[Target | None]:
    asked: list[Target | None] = []

    def lift(here: Installed, target: Target | None) -> Iterator[LiftedBans]:
        asked.append(target)
        yield from done

    monkeypatch.setattr(bans, "lift_bans", lift)
    return asked


def test_lifting_names_what_was_lifted(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = lifting(monkeypatch, LiftedBans("one", FOUND.bans[3:6]))
    assert run(monkeypatch, "lift", "198.51.100.9", "--site", str(site)) == 0
    assert [target.address for target in asked if target] == ["198.51.100.9"]
    assert capsys.readouterr().out.splitlines() == [
        "one: lifted WSS/198.51.100.9/50123 (ucontact-connection)",
        "one: lifted 203.0.113.80 (ucontact-datagram)",
        "one: lifted 203.0.113.5 (stale)",
    ]
    assert run(monkeypatch, "lift", "--all", "--site", str(site)) == 0
    assert asked[1:] == [None]


def test_lifting_what_is_not_banned_says_so(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lifting(monkeypatch, LiftedBans("one", ()))
    assert run(monkeypatch, "lift", "192.0.2.1", "--site", str(site)) == 1
    assert "192.0.2.1 is not banned" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [(), ("192.0.2.1", "--all"), ("office",), ("192.0.2.0/24",), ("WSS/192.0.2.1/x",)]
)
def test_what_is_no_address_is_refused(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    asked = lifting(monkeypatch)
    assert run(monkeypatch, "lift", *words, "--site", str(site)) == 2
    assert "try: ucontact bans l" in capsys.readouterr().err
    assert asked == []


def test_no_site_that_was_not_named_is_changed(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    remember_site(site)
    asked = lifting(monkeypatch)
    assert run(monkeypatch, "lift", "--all") == 2
    assert f"--site {site}" in capsys.readouterr().err
    assert asked == []
