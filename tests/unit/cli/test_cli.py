"""The command line: exit codes, one document on stdout, errors that help."""

from __future__ import annotations

import io
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ucontact_appliance.cli import install, lab
from ucontact_appliance.cli.main import main
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install.job import Surveyed
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.current import remember_site
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import load_secrets, save_secrets
from ucontact_appliance.state import StatePaths, state_paths

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


@pytest.mark.parametrize(("agents", "code", "verdict"), [("600", 0, "pass"), ("3000", 1, "fail")])
def test_a_plan_with_a_shortfall_is_a_finding(
    ucontact: Command, agents: str, code: int, verdict: str
) -> None:
    answer = ucontact("plan", "--agents", agents, "--json")
    document = json.loads(answer.out)
    assert answer.code == code
    assert document["verdict"] == verdict
    assert bool(document["shortfalls"]) == bool(code)
    assert ("shortfall" in answer.err) == bool(code)
    assert [row["host"] for row in document["shopping_list"]] == [
        host["name"] for host in document["hosts"]
    ]
    assert document["telephony_server"]["ceiling_calls"] == 2000
    assert "DTLS-SRTP" in document["telephony_server"]["not_measured"]
    assert ucontact("plan", "--agents", agents).code == code
    assert ucontact("plan", "--agents", agents, "--what-if", "20,5000").code == code


def test_plan_prints_what_to_buy_and_what_was_not_measured(ucontact: Command) -> None:
    answer = ucontact("plan", "--agents", "3000")
    assert "to buy" in answer.out
    assert "one Asterisk is planned for at most 2000 simultaneous calls, not 6000" in answer.out
    assert "split it into 3 sites" in answer.out
    assert "no server can carry this load" in answer.out
    assert "400 plain calls were measured" in answer.out
    assert "not measured: encryption of agents' media" in ucontact("plan", "--agents", "20").out


def test_what_if_tells_which_numbers_fall_short(ucontact: Command) -> None:
    document = json.loads(ucontact("plan", "--agents", "20", "--what-if", "3000", "--json").out)
    assert [plan["verdict"] for plan in document["plans"]] == ["pass", "fail"]


@pytest.mark.parametrize("agents", ["0", "-1", "many", "10001"])
def test_plan_refuses_what_is_no_number_of_agents(ucontact: Command, agents: str) -> None:
    answer = ucontact("plan", "--agents", agents)
    assert answer.code == 2
    assert answer.out == ""


def test_plan_for_people_gives_each_figure_its_reason(ucontact: Command) -> None:
    answer = ucontact("plan", "--agents", "20")
    assert answer.code == 0
    assert "Small site" in answer.out
    assert "20 agents x 256 kbit/s per call (R24)" in answer.out
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
    assert "try: ucontact shell away --site " in answer.err


@pytest.mark.parametrize("words", [["doctr"], ["doctor", "--deap"], ["plan"], ["secrets", "show"]])
def test_wrong_usage_is_2(ucontact: Command, words: list[str]) -> None:
    assert ucontact(*words).code == 2


@pytest.mark.parametrize("words", [[], ["lab"], ["release"], ["secrets"]])
def test_a_group_named_alone_shows_its_help_and_no_error(
    ucontact: Command, words: list[str]
) -> None:
    answer = ucontact(*words)
    assert answer.code == 2
    assert "Usage: " in answer.out
    assert answer.err == ""


def test_wrong_words_are_told_without_the_help(ucontact: Command) -> None:
    answer = ucontact("lab", "nonsense")
    assert answer.code == 2
    assert answer.out == ""
    assert "nonsense" in answer.err


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


def test_init_writes_paths_that_hold_in_every_folder(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chain.pem").write_text("chain")
    (tmp_path / "key.pem").write_text("key")
    monkeypatch.setenv("HOME", str(tmp_path))
    answers = ["acme", "", "12", "", "", "", "files", "chain.pem", "~/key.pem", "", ""]
    monkeypatch.setattr("sys.stdin", os.fdopen(_pipe("\n".join(answers)), encoding="utf-8"))
    answer = ucontact("init")
    assert answer.code == 0, answer.err
    written = yaml.safe_load((tmp_path / "site.yml").read_text())["certificate"]
    assert written["chain"] == str(tmp_path / "chain.pem")
    assert written["key"] == str(tmp_path / "key.pem")


def test_init_refuses_a_repeat_when_it_is_given(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ["192.0.2.1", "one"], ["192.0.2.1", "192.0.2.2", "one", "two"]
    answers = ["acme", "", "40", "", *one, *two, "", "", ""]
    monkeypatch.setattr("sys.stdin", os.fdopen(_pipe("\n".join(answers)), encoding="utf-8"))
    answer = ucontact("init")
    assert answer.code == 0, answer.err
    assert "'192.0.2.1' is already used by another server" in answer.err
    assert "'one' is already used by another server" in answer.err
    hosts = yaml.safe_load((tmp_path / "site.yml").read_text())["hosts"]
    assert hosts == [
        {"name": "one", "address": "192.0.2.1"},
        {"name": "two", "address": "192.0.2.2"},
    ]


def test_init_asks_nothing_when_the_file_could_not_be_written(
    ucontact: Command, tmp_path: Path
) -> None:
    answer = ucontact("init", "--site", str(tmp_path / "nowhere" / "site.yml"))
    assert answer.code == 3
    assert str(tmp_path / "nowhere") in answer.err
    assert "Short name" not in answer.err


class Terminal(io.StringIO):
    """Somebody who types; a negative answer is Ctrl-C."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> str:
        line = super().readline()
        if line.startswith("^C"):
            raise KeyboardInterrupt
        return line


def test_ctrl_c_among_the_questions_is_no_interrupted_install(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("acme\n^C\n"))
    answer = ucontact("init")
    assert answer.code == 130
    assert "nothing was changed" in answer.err
    assert "to continue" not in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("typed", "code"), [("n\n", 0), ("\n", 0), ("^C\n", 130)])
def test_a_plan_that_is_not_wanted_changes_nothing(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    survey = Survey("debian", "", "Debian sid", 8192)

    def look(site: Site, paths: StatePaths, ssh: SshSettings) -> Surveyed:
        return Surveyed(site, {"one": survey}, {"one": "192.0.2.10"}, make_plan(site, {}))

    monkeypatch.setattr(install, "look", look)
    monkeypatch.setattr(install, "resolve_release", lambda name, say: None)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    answer = ucontact("install")
    assert answer.code == code
    assert "nothing was changed" in answer.err
    assert "interrupted" not in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["site.yml"]


@pytest.fixture
def elsewhere(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[Path]]:
    """A site that was installed last, from another folder than this; and which sites are looked at.

    The working folder is empty, and a look at the servers ends the command.
    """
    path = tmp_path / "acme's" / "site.yml"
    path.parent.mkdir()
    path.write_text(SITE)
    remember_site(path)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    looked: list[Path] = []

    def look(site: Site, paths: StatePaths, ssh: SshSettings) -> Surveyed:
        looked.append(paths.etc)
        raise UnreachableError("looked")

    monkeypatch.setattr(install, "look", look)
    return path, looked


@pytest.mark.parametrize(
    "words", [("install", "--yes"), ("install", "--restart"), ("secrets", "set", "telephony.acme")]
)
def test_the_site_installed_last_is_not_changed_unasked(
    ucontact: Command, elsewhere: tuple[Path, list[Path]], words: tuple[str, ...]
) -> None:
    path, looked = elsewhere
    answer = ucontact(*words)
    assert answer.code == 2
    assert f"try: {shlex.join(['ucontact', *words, '--site', str(path)])}\n" in answer.err
    assert "the site installed last is demo" in answer.err
    assert looked == []


def test_even_at_a_terminal_yes_types_no_name(
    ucontact: Command, elsewhere: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("demo\n"))
    answer = ucontact("install", "--yes")
    assert answer.code == 2
    assert "Type" not in answer.err
    assert elsewhere[1] == []


@pytest.mark.parametrize(
    ("typed", "code"), [("demo\n", 3), ("demon\n", 2), ("y\n", 2), ("^C\n", 130)]
)
def test_the_site_installed_last_is_changed_when_its_name_is_typed(
    ucontact: Command,
    elsewhere: tuple[Path, list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    answer = ucontact("install")
    looked = typed == "demo\n"
    assert answer.code == code
    assert bool(elsewhere[1]) is looked
    assert ("nothing was changed" in answer.err) is not looked


@pytest.mark.parametrize("words", [("install", "--dry-run"), ("doctor",), ("secrets", "list")])
def test_what_only_reads_finds_the_site_installed_last(
    ucontact: Command, elsewhere: tuple[Path, list[Path]], words: tuple[str, ...]
) -> None:
    assert "no site was named" not in ucontact(*words).err
    assert bool(elsewhere[1]) is (words[0] == "install")


@pytest.mark.parametrize("words", [(), ("one", "--all")])
def test_machines_are_removed_by_name_or_all_of_them_by_all(
    ucontact: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    there = [Machine(name, "192.0.2.1", "sid", "running", Path("/")) for name in ("one", "two")]
    monkeypatch.setattr(lab.machines, "listed", lambda: tuple(there))
    for act in ("down", "down_all"):
        monkeypatch.setattr(lab.machines, act, lambda *words: pytest.fail("removed"))
    answer = ucontact("lab", "down", *words)
    assert answer.code == 2
    assert "one, two" in answer.err
    assert "ucontact lab down --all" in answer.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--dry-run", "--new-ca"), "a dry run does not create a new CA"),
        (("--dry-run", "--take-over", "nginx"), "a dry run does not take over services"),
        (("--take-over", "ngnix"), "install --take-over nginx"),
    ],
)
def test_options_that_make_no_sense_change_nothing(
    ucontact: Command, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    answer = ucontact("install", *words)
    assert answer.code == 2
    assert told in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["site.yml"]


def test_damaged_state_is_refused_before_anything_is_reached(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(site: Site, paths: StatePaths, ssh: SshSettings) -> Surveyed:
        raise AssertionError("it looked")

    monkeypatch.setattr(install, "look", look)
    (tmp_path / "site.yml").write_text(SITE)
    pki = state_paths("demo").pki
    pki.mkdir(parents=True)
    (pki / "ca.key").touch()
    answer = ucontact("install", "--yes")
    assert answer.code == 2
    assert f"{pki / 'ca.key'}: the file is empty" in answer.err
    assert "ucontact install --new-ca" in answer.err


def test_init_never_replaces_a_file_unasked(ucontact: Command, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("mine")
    answer = ucontact("init")
    assert answer.code == 2
    assert "--force" in answer.err
    assert (tmp_path / "site.yml").read_text() == "mine"


def test_a_dry_run_without_a_site_asks_and_writes_nothing(
    ucontact: Command, tmp_path: Path
) -> None:
    answer = ucontact("install", "--dry-run")
    assert answer.code == 2
    assert "ucontact init" in answer.err
    assert list(tmp_path.iterdir()) == []


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
    monkeypatch.setattr("sys.stdin", os.fdopen(_pipe("given one"), encoding="utf-8"))
    assert ucontact("secrets", "set", "telephony.trunks.acme").code == 0
    assert load_secrets(state_paths("demo").secrets)["telephony.trunks.acme"] == "given one"


def test_a_password_too_short_to_be_kept_out_of_logs_is_refused(
    ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    monkeypatch.setattr("sys.stdin", os.fdopen(_pipe("hush123"), encoding="utf-8"))
    answer = ucontact("secrets", "set", "telephony.trunks.acme")
    assert answer.code == 2
    assert "fewer than 8" in answer.err
    assert "logs" in answer.err
    assert "hush123" not in answer.err
    assert not load_secrets(state_paths("demo").secrets)


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
