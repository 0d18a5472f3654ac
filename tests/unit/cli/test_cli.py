"""The command line: exit codes, one document on stdout, errors that help."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ucontact_appliance.cli.main import main
from ucontact_appliance.site.secrets import load_secrets, save_secrets
from ucontact_appliance.state import state_paths

SITE = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts:
  - {name: one, address: 192.0.2.10}
telephony:
  trunks:
    - {name: acme, host: sip.example.net, username: me}
"""


@dataclass(frozen=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def ucontact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Answer:
        monkeypatch.setattr("sys.argv", ["ucontact", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Answer(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.mark.parametrize(
    ("agents", "size"),
    [("1", "small"), ("29", "small"), ("30", "medium"), ("499", "medium"), ("500", "big")],
)
def test_plan_as_json_is_one_document(ucontact: Command, agents: str, size: str) -> None:
    answer = ucontact("plan", "--agents", agents, "--json")
    document = json.loads(answer.out)
    assert answer.code == 0
    assert document["size"] == size
    assert document["agents"] == int(agents)
    roles = [role for host in document["hosts"] for role in host["roles"]]
    assert sorted(roles) == ["backend", "database", "telephony"]


@pytest.mark.parametrize("agents", ["0", "-1", "many", "10001"])
def test_plan_refuses_what_is_no_number_of_agents(ucontact: Command, agents: str) -> None:
    answer = ucontact("plan", "--agents", agents)
    assert answer.code == 2
    assert answer.out == ""


def test_plan_for_people_gives_each_figure_its_reason(ucontact: Command) -> None:
    answer = ucontact("plan", "--agents", "20")
    assert answer.code == 0
    assert "Small site" in answer.out
    assert "20 agents x 256 kbit/s a call (R24)" in answer.out
    assert "5060/udp" in answer.out


def test_profile_as_json_names_what_it_could_carry(ucontact: Command) -> None:
    document = json.loads(ucontact("profile", "--json").out)
    assert document["cpu"]["threads"] >= 1
    assert document["memory"]["nominal_mb"] >= document["memory"]["measured_mb"]
    assert document["write_latency"][0]["samples"] > 0
    assert [row["size"] for row in document["could_carry"]] == ["small", "medium", "big"]


def test_profile_of_a_site_shows_the_others_when_one_is_out_of_reach(
    ucontact: Command, tmp_path: Path
) -> None:
    (tmp_path / "site.yml").write_text(
        "site: demo\nfqdn: contact.example.com\nagents: 40\nhosts:\n"
        "  - {name: here, address: local}\n  - {name: away, address: 127.0.0.1, port: 1}\n"
    )
    answer = ucontact("profile", "--site", "site.yml", "--json")
    here, away = json.loads(answer.out)["hosts"]
    assert answer.code == 3
    assert (here["name"], here["error"]) == ("here", None)
    assert here["cpu"]["threads"] >= 1
    assert list(away) == ["name", "error"]
    assert "can't be reached" in away["error"]["what"]
    answer = ucontact("profile", "--site", "site.yml")
    assert answer.code == 3
    assert "─ here ─" in answer.out
    assert "host away (127.0.0.1) can't be reached" in answer.err
    assert "try: ssh " in answer.err


@pytest.mark.parametrize("words", [["doctr"], ["doctor", "--deap"], ["plan"], ["secrets", "show"]])
def test_wrong_usage_is_2(ucontact: Command, words: list[str]) -> None:
    assert ucontact(*words).code == 2


@pytest.mark.parametrize("command", ["doctor", "report"])
def test_without_any_site_the_way_to_one_is_told(ucontact: Command, command: str) -> None:
    answer = ucontact(command)
    assert answer.code == 3
    assert "ucontact init" in answer.err


@pytest.mark.parametrize("command", ["doctor", "report"])
def test_a_site_that_was_never_installed_is_told(
    ucontact: Command, command: str, tmp_path: Path
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    answer = ucontact(command)
    assert answer.code == 2
    assert "ucontact install" in answer.err


def test_a_mistake_in_the_site_file_is_2_with_line_and_name(
    ucontact: Command, tmp_path: Path
) -> None:
    (tmp_path / "site.yml").write_text(SITE.replace("agents:", "agnets:"))
    answer = ucontact("install", "--yes")
    assert answer.code == 2
    assert "line 3: agnets: there is no such key; did you mean 'agents'?" in answer.err


def test_evidence_is_never_cut_at_the_edge_of_a_screen(ucontact: Command, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(SITE + f"{'x' * 300}: 1\n")
    assert "x" * 300 in ucontact("install", "--yes").err


def test_init_writes_a_file_that_install_reads(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["acme", "", "12", "", "", "", "", "", ""]
    monkeypatch.setattr("sys.stdin", os.fdopen(_pipe("\n".join(answers)), encoding="utf-8"))
    answer = ucontact("init")
    assert answer.code == 0, answer.err
    written = yaml.safe_load((tmp_path / "site.yml").read_text())
    assert (written["site"], written["fqdn"], written["agents"]) == ("acme", "acme.example.com", 12)
    assert len(written["telephony"]["extensions"]) == 12


def test_init_never_replaces_a_file_unasked(ucontact: Command, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("mine")
    answer = ucontact("init")
    assert answer.code == 2
    assert "--force" in answer.err
    assert (tmp_path / "site.yml").read_text() == "mine"


def test_one_secret_is_shown_and_a_wrong_name_gets_the_nearest(
    ucontact: Command, tmp_path: Path
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    save_secrets(state_paths("demo").secrets, {"telephony.extensions.6001": "hush"})
    assert ucontact("secrets", "show", "telephony.extensions.6001").out == "hush\n"
    assert "hush" not in ucontact("secrets", "list").out
    wrong = ucontact("secrets", "show", "telephony.extension.6001")
    assert wrong.code == 2
    assert "telephony.extensions.6001" in wrong.err
    assert "hush" not in wrong.err


@pytest.mark.parametrize("value", ["", "a'b", "a;b", "a\\b"])
def test_a_password_that_could_break_a_configuration_is_refused(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    monkeypatch.setattr("sys.stdin", os.fdopen(_pipe(value), encoding="utf-8"))
    answer = ucontact("secrets", "set", "telephony.trunks.acme")
    assert answer.code == 2
    assert not value or value not in answer.err


def test_a_trunks_password_is_taken_from_stdin(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    monkeypatch.setattr("sys.stdin", os.fdopen(_pipe("given"), encoding="utf-8"))
    assert ucontact("secrets", "set", "telephony.trunks.acme").code == 0
    assert load_secrets(state_paths("demo").secrets)["telephony.trunks.acme"] == "given"


def test_only_secrets_that_are_given_can_be_set(ucontact: Command, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    assert ucontact("secrets", "set", "stun.turn").code == 2


@pytest.mark.parametrize(
    "words", [["install", "--yes"], ["doctor"], ["report"], ["secrets", "list"]]
)
def test_without_root_a_site_is_not_touched(
    ucontact: Command, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.delenv("UCONTACT_ETC")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    answer = ucontact(*words)
    assert answer.code == 2
    assert "needs root" in answer.err


def test_a_defect_is_reported_without_its_values(
    ucontact: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(agents: int) -> None:
        raise RuntimeError("hush")

    monkeypatch.setattr("ucontact_appliance.cli.plan.site_for_agents", broken)
    answer = ucontact("plan", "--agents", "3")
    assert answer.code == 4
    assert "RuntimeError in broken" in answer.err
    assert "hush" not in answer.err


def _pipe(text: str) -> int:
    reading, writing = os.pipe()
    os.write(writing, text.encode() + b"\n")
    os.close(writing)
    return reading
