"""`ucontact extension`, `trunk` and `apply`: what they change, show and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.test_cli import Command, ucontact
from ucontact_appliance.cli import apply as apply_module
from ucontact_appliance.install.journal import Journal, Progress, save_journal
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths

__all__ = ["ucontact"]

SITE = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts: [{name: one, address: 192.0.2.10}]
telephony:
  extensions: ["6001", "6002"]  # two
  queues: [{name: sales, number: "800", agents: ["6001"]}]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "site.yml"
    made.write_text(SITE)
    return made


def test_an_extension_is_added_and_the_next_command_is_named(ucontact: Command, path: Path) -> None:
    done = ucontact("extension", "add", "6003")
    assert done.code == 0
    assert '+  extensions: ["6001", "6002", "6003"] # two' in done.out
    assert f"next: ucontact apply --site {path}" in done.out
    assert load_site(path).telephony.extensions == ("6001", "6002", "6003")


def test_an_extension_in_use_stays(ucontact: Command, path: Path) -> None:
    done = ucontact("extension", "remove", "6001")
    assert done.code == 2
    assert "telephony.queues[0].agents[0]: there is no extension '6001'" in done.err
    assert path.read_text() == SITE


def test_extensions_are_listed_with_what_they_are(ucontact: Command, path: Path) -> None:
    found = json.loads(ucontact("extension", "list", "--json").out)
    assert found["extensions"][0] == {
        "extension": "6001",
        "phone": None,
        "queues": ["sales"],
        "supervisor": False,
        "secret": "telephony.extensions.6001",
    }
    assert "softphone" in ucontact("extension", "list").out


def test_a_trunk_with_an_account_wants_its_password_first(ucontact: Command, path: Path) -> None:
    words = ("trunk", "add", "acme", "--host", "sip.example.net", "--username", "me", "--register")
    refused = ucontact(*words, "--apply")
    assert refused.code == 2
    assert path.read_text() == SITE
    done = ucontact(*words, "--prefix", "7", "--codec", "opus", "--codec", "alaw")
    assert done.code == 0
    first = f"next: ucontact secrets set telephony.trunks.acme --site {path}"
    assert done.out.index(first) < done.out.index("next: ucontact apply")
    trunk = load_site(path).telephony.trunks[0]
    assert (trunk.host, trunk.username, trunk.prefix) == ("sip.example.net", "me", "7")
    assert trunk.register_account
    assert [one.value for one in trunk.codecs] == ["opus", "alaw"]
    told = ucontact("trunk", "list").out
    assert "sip.example.net" in told
    row = json.loads(ucontact("trunk", "list", "--json").out)["trunks"][0]
    assert (row["prefixes"], row["secret"]) == (["7"], "telephony.trunks.acme")
    assert ucontact("trunk", "remove", "acme").code == 0
    assert path.read_text() == SITE


def test_a_trunk_that_is_impossible_is_refused(ucontact: Command, path: Path) -> None:
    done = ucontact("trunk", "add", "x", "--transport", "wss")
    assert done.code == 2
    assert "transport 'wss' needs 'username'" in done.err
    assert path.read_text() == SITE


def test_a_site_that_is_not_installed_is_not_changed(ucontact: Command, path: Path) -> None:
    done = ucontact("apply")
    assert done.code == 2
    assert f"ucontact install --site {path}" in done.err


def test_what_can_not_be_applied_is_not_written_either(ucontact: Command, path: Path) -> None:
    done = ucontact("extension", "add", "6003", "--apply")
    assert done.code == 2
    assert "was never installed" in done.err
    assert path.read_text() == SITE


def test_an_interrupted_installation_is_continued_first(ucontact: Command, path: Path) -> None:
    site = load_site(path)
    inputs = {"site": site.model_dump(mode="json")}
    journal = state_paths(site.site).journal
    save_journal(journal, Journal(inputs=inputs, progress=Progress.FAILED))
    done = ucontact("apply")
    assert done.code == 2
    assert "did not finish" in done.err


def test_changes_are_shown_and_need_a_yes(
    ucontact: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = load_site(path)
    inputs = {"site": site.model_dump(mode="json")}
    save_journal(state_paths(site.site).journal, Journal(inputs=inputs))
    installed: list[dict[str, object]] = []
    monkeypatch.setattr(
        apply_module, "install", lambda path, **words: installed.append({"path": path, **words})
    )
    path.write_text(SITE.replace('"6002"]', '"6002", "6003"]'))
    refused = ucontact("apply")
    assert refused.code == 2
    assert "+  - '6003'" in refused.err
    assert "ucontact apply --yes" in refused.err
    assert installed == []
    assert ucontact("apply", "--yes").code == 0
    assert ucontact("apply", "--dry-run").code == 0
    # Another number of agents may move roles: the installation shows its plan, and asks.
    path.write_text(SITE.replace("agents: 10", "agents: 400"))
    assert ucontact("apply").code == 0
    assert [(one["yes"], one["dry_run"]) for one in installed] == [
        (True, False),
        (True, True),
        (False, False),
    ]
