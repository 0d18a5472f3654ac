"""The doctor's command line: its forms, its kept runs, its nights. What it finds is given."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.cli.test_cli import SITE, Command, ucontact
from tests.unit.findings.test_changes import finding
from ucontact_appliance.checks.model import AppliedWaiver, Calls, Finding, Verdict
from ucontact_appliance.cli import doctor_run, doctor_timer
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.facts.stored import NoRunner
from ucontact_appliance.findings.document import schema_text
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate import timer as watch
from ucontact_appliance.operate.installed import save_plan
from ucontact_appliance.operate.timer import Timer, TimerSettings
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.secrets import save_secrets
from ucontact_appliance.state import state_paths

__all__ = ["ucontact"]

HOOK = "https://chat.example.com/hooks/T0pS3cret"
GOOD = finding("web.service")
BROKEN = replace(
    finding("web.service", Verdict.FAIL), observed="inactive", remedy="systemctl start nginx"
)
BEHIND = finding("web.page", Verdict.SKIP, blocked_by="web.service")
WAIVED = replace(
    finding("host.memory", Verdict.FAIL),
    observed="2 GB",
    waived=AppliedWaiver("more is ordered", date(2027, 1, 31)),
)


class Site:
    """An installed site whose findings are whatever they are set to."""

    def __init__(self, command: Command, folder: Path) -> None:
        self.command = command
        self.folder = folder
        self.findings: tuple[Finding, ...] = (GOOD,)
        self.calls: list[Calls] = []

    def __call__(self, *words: str) -> Any:
        return self.command("doctor", *words)


@pytest.fixture
def site(ucontact: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    (tmp_path / "site.yml").write_text(SITE)
    parsed = parse_site(SITE)
    paths = state_paths("demo")
    save_plan(paths, make_plan(parsed, {}))
    save_secrets(paths.secrets, {"stun.turn": "Zq3vX9bL2mN8cR5t"})
    made = Site(ucontact, tmp_path)

    def examine(here: object, *, calls: Calls, on_facts: Any, **words: Any) -> tuple[Finding, ...]:
        source = FactSource(ProbeContext(parsed, parsed.hosts[0], NoRunner()))
        source.here(_stands_in_a_file, "Zq3vX9bL2mN8cR5t")
        on_facts({"one": source})
        made.calls.append(calls)
        return made.findings

    monkeypatch.setattr(doctor_run, "examine", examine)
    return made


def _stands_in_a_file(secret: str) -> str:
    return f"user=x\nsecret={secret}\n"


def kept(site: Site) -> list[Path]:
    return sorted((site.folder / "var" / "demo" / "doctor").glob("*.json"))


def test_the_schema_is_printed_without_a_site(ucontact: Command) -> None:
    answer = ucontact("doctor", "schema")
    assert (answer.code, answer.out) == (0, schema_text())


@pytest.mark.parametrize("words", [("--json",), ("changes", "--json")])
def test_the_document_fits_its_schema(site: Site, words: tuple[str, ...]) -> None:
    site.findings = (BROKEN, BEHIND, WAIVED)
    answer = site(*words)
    document = json.loads(answer.out)
    Draft202012Validator(json.loads(schema_text())).validate(document)
    assert answer.code == 1
    assert ("changes" in document) == ("changes" in words)


def test_changes_tell_only_what_changed_and_the_code_is_by_the_state(site: Site) -> None:
    assert "everything is new" in site("changes").out
    site.findings = (BROKEN, BEHIND)
    answer = site("changes")
    assert answer.code == 1
    assert "worse  web.service on one" in answer.out
    assert "pass -> fail" in answer.out
    assert "systemctl start nginx" in answer.out
    assert "1 check blocked by web.service: not judged" in answer.out
    answer = site("changes")
    assert answer.code == 1
    assert "nothing changed since" in answer.out
    assert "inactive" not in answer.out
    site.findings = (GOOD, finding("web.page"))
    answer = site("changes")
    assert answer.code == 0
    assert "better web.service on one" in answer.out
    assert "1 check: no longer blocked" in answer.out


def test_findings_and_changes_of_the_document_are_in_one_language(site: Site) -> None:
    site()
    site.findings = (replace(BROKEN, observed=_("not enabled"), title=_("NGINX runs")), BEHIND)
    document = json.loads(site("changes", "--json", "--lang", "es").out)
    (row,) = [one for one in document["changes"]["rows"] if one["id"] == BROKEN.id]
    (found,) = [one for one in document["findings"] if one["id"] == BROKEN.id]
    for told in (row, found):
        assert (told["title"], told["observed"]) == ("NGINX está en marcha", "no habilitado")
    assert (found["verdict"], row["now"], row["kind"]) == ("fail", "fail", "worse")


def test_runs_are_kept_in_the_language_of_the_sources(site: Site) -> None:
    site.findings = (replace(BROKEN, observed=_("not enabled")),)
    assert "no habilitado" in site("--lang", "es").out
    assert "not enabled" in kept(site)[0].read_text()
    listed = site("history", "--lang", "es").out.splitlines()
    assert listed[0].split()[:3] == ["hora", "(UTC)", "veredicto"]
    assert "falla" in listed[1]


def test_the_environment_chooses_the_language_of_screens(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "es_CO.UTF-8")
    site.findings = (BROKEN, GOOD, finding("a.c"), finding("a.d", Verdict.WARN))
    assert "2 bien, 1 aviso, 1 falla" in site().out
    assert "1 warn, 1 fail" in site("--lang", "en").out


def test_whole_runs_are_kept_and_listed(site: Site) -> None:
    assert "no saved runs yet" in site("history").out
    site()
    site.findings = (BROKEN, BEHIND, WAIVED)
    site("--json")
    site("--only", "web")
    site("export", "nagios")
    assert [path.stat().st_mode & 0o777 for path in kept(site)] == [0o600, 0o600]
    rows = json.loads(site("history", "--json").out)
    assert [row["verdict"] for row in rows] == ["fail", "pass"]
    assert rows[0]["counts"] == {"fail": 1, "blocked": 1, "waived": 1}
    assert len(site("history").out.splitlines()) == 3


def test_what_is_waived_is_shown_with_its_reason_and_does_not_count(site: Site) -> None:
    site.findings = (GOOD, WAIVED)
    answer = site()
    assert answer.code == 0
    assert "waived host.memory on one" in answer.out
    assert "reason    more is ordered" in answer.out
    assert "until     2027-01-31" in answer.out
    assert "1 pass, 1 waived" in answer.out


def test_a_run_that_can_not_be_kept_is_told_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object, **more: object) -> None:
        raise UnreachableError("the run can't be written", evidence="No space left on device")

    monkeypatch.setattr(doctor_run, "keep_run", full)
    site.findings = (BROKEN,)
    answer = site()
    assert answer.code == 1
    assert "web.service" in answer.out
    assert "this run was not saved" in answer.err
    assert "No space left" in answer.err


@pytest.mark.parametrize(
    ("findings", "code", "begins"),
    [
        ((GOOD,), 0, "UCONTACT OK - 1 passed | "),
        ((finding("a.b", Verdict.WARN),), 1, "UCONTACT WARNING - "),
        ((BROKEN, BEHIND), 2, "UCONTACT CRITICAL - 1 failed: web.service on one (inactive)"),
        ((finding("a.b", Verdict.ERROR),), 3, "UCONTACT UNKNOWN - "),
    ],
)
def test_nagios_gets_one_line_and_its_own_codes(
    site: Site, findings: tuple[Finding, ...], code: int, begins: str
) -> None:
    site.findings = findings
    answer = site("export", "nagios")
    assert answer.code == code
    assert answer.out.startswith(begins)
    assert answer.out.count("\n") == 1


def test_for_nagios_a_site_that_is_not_there_is_unknown(ucontact: Command) -> None:
    answer = ucontact("doctor", "export", "nagios", "--site", "/nowhere/site.yml")
    assert answer.code == 3
    assert answer.out == "UCONTACT UNKNOWN - there is no site file /nowhere/site.yml\n"


def test_the_metrics_file_is_replaced_in_one_step(site: Site) -> None:
    target = site.folder / "ucontact.prom"
    target.write_text("old")
    before = target.stat().st_ino
    site.findings = (BROKEN,)
    answer = site("export", "prometheus", "--out", str(target))
    assert (answer.code, answer.out) == (1, "")
    assert 'ucontact_check_status{host="one",id="web.service"' in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert target.stat().st_ino != before
    assert [path.name for path in site.folder.glob("*ucontact*")] == ["ucontact.prom"]


@pytest.mark.parametrize(
    "words",
    [
        ("export", "prometheus", "--out", "x.txt"),
        ("changes", "--only", "web"),
        ("facts", "judge", "x.json", "--deep"),
        ("--json", "changes"),
        ("--mail", "noc@example.com"),
        ("--notify", "watch.json", "--only", "web"),
        ("--notify", "watch.json", "--json"),
        ("timer", "set", "--at", "25:00"),
        ("timer", "set", "--mail", "not one"),
        ("timer", "set", "--webhook", "http://chat.example.com/T0pS3cret"),
    ],
)
def test_words_that_contradict_one_another_are_refused(site: Site, words: tuple[str, ...]) -> None:
    answer = site(*words)
    assert answer.code == 2
    assert answer.out == ""
    assert "try:" in answer.err
    assert "T0pS3cret" not in answer.err


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("--history",), "history"),
        (("--changes", "--json"), "changes"),
        (("--install-timer", "--webhook", "http://chat.example.com/T0pS3cret"), "timer set"),
        (("--remove-timer", "--site", "x.yml"), "timer remove"),
        (("--save-facts=x.json",), "facts save FILE"),
        (("--from", "x.json", "--only", "tls"), "facts judge FILE"),
        (("--schema",), "schema"),
        (("--format", "prometheus", "--out", "x.prom"), "export prometheus"),
        (("--format=json",), "--json"),
    ],
)
def test_a_former_option_is_answered_with_the_command(
    site: Site, words: tuple[str, ...], command: str
) -> None:
    answer = site(*words)
    assert answer.code == 2
    assert f"try: ucontact doctor {command}\n" in answer.err
    assert "T0pS3cret" not in answer.err
    assert site.calls == []


def test_a_former_nagios_check_is_unknown_on_stdout(site: Site) -> None:
    answer = site("--format", "nagios")
    assert answer.code == 3
    assert answer.out.startswith("UCONTACT UNKNOWN - the option --format of `doctor` is a command")


def test_a_timer_is_shown(
    site: Site, timers: list[TimerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "demo has no timer on this machine" in site("timer", "show").out
    due = Timer("ucontact-doctor-demo.timer", "Tue 2026-11-24 04:15:00 UTC")
    monkeypatch.setattr(doctor_timer, "find_timer", lambda name: due)
    watch = TimerSettings(site="demo", at="04:15", webhook=HOOK, deep=True)
    write_private(state_paths("demo").watch, watch.model_dump_json())
    shown = site("timer", "show").out
    assert "next     Tue 2026-11-24 04:15:00 UTC" in shown
    assert "calls    all calls of --deep" in shown
    assert "T0pS3cret" not in shown


def test_a_run_is_stored_without_secrets_and_judged_again(site: Site) -> None:
    target = site.folder / "facts.json"
    assert site("facts", "save", str(target)).code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    text = target.read_text()
    assert "secret=[secret stun.turn]" in text
    assert "Zq3vX9bL2mN8cR5t" not in text
    answer = site("facts", "judge", str(target), "--json")
    document = json.loads(answer.out)
    read = datetime.fromisoformat(json.loads(text)["time"].replace("Z", "+00:00"))
    assert datetime.fromisoformat(document["time"]) == read.replace(microsecond=0)
    assert {row["verdict"] for row in document["findings"]} <= {"skip", "pass"}
    assert "judging the stored facts of demo from" in answer.err


def test_judging_a_stored_run_needs_neither_root_nor_a_site(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = site.folder / "facts.json"
    site("facts", "save", str(target))
    (site.folder / "site.yml").unlink()
    monkeypatch.delenv("UCONTACT_ETC")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert site("facts", "judge", str(target)).code == 0


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[TimerSettings]:
    """What would have been laid down."""
    made: list[TimerSettings] = []

    def install(watch: TimerSettings, site_file: Path, path: Path) -> Timer:
        made.append(watch)
        return Timer("ucontact-doctor-demo.timer", "Tue 2026-11-24 04:15:00 UTC")

    monkeypatch.setattr(doctor_timer, "install_timer", install)
    return made


def test_a_timer_tells_when_it_looks_and_whom_it_tells(
    site: Site, timers: list[TimerSettings]
) -> None:
    words = ("--at", "04:15", "--mail", "noc@example.com", "--webhook", HOOK)
    answer = site("timer", "set", *words)
    assert answer.code == 0
    assert timers == [TimerSettings(site="demo", at="04:15", mail="noc@example.com", webhook=HOOK)]
    assert "next     Tue 2026-11-24 04:15:00 UTC" in answer.out
    assert "noc@example.com and https://chat.example.com/…" in answer.out
    assert "T0pS3cret" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("words", "deep", "told"),
    [((), False, "one short call"), (("--deep",), True, "all calls of --deep")],
)
def test_a_timer_keeps_which_calls_its_nights_place(
    site: Site, timers: list[TimerSettings], words: tuple[str, ...], deep: bool, told: str
) -> None:
    answer = site("timer", "set", *words)
    assert timers[0].deep is deep
    assert f"calls    {told}\n" in answer.out


def test_the_webhooks_address_can_come_by_stdin(
    site: Site, timers: list[TimerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{HOOK}\n"))
    assert site("timer", "set", "--webhook", "-").code == 0
    assert timers[0].webhook == HOOK


class Night:
    """A site with a file of whom to tell, and what they were told."""

    def __init__(self, site: Site, path: Path) -> None:
        self.site = site
        self.path = path
        self.told: list[tuple[str, str]] = []
        self.down = False

    def post(self, url: str, document: Mapping[str, Any]) -> None:
        if self.down:
            raise UnreachableError("the webhook did not take the message", evidence="502")
        self.told.append((url, str(document["text"]).splitlines()[0]))

    def __call__(self) -> Any:
        return self.site("--notify", str(self.path))


@pytest.fixture
def night(site: Site, monkeypatch: pytest.MonkeyPatch) -> Night:
    made = Night(site, site.folder / "watch.json")
    write_private(made.path, TimerSettings(site="demo", webhook=HOOK).model_dump_json())
    monkeypatch.setattr(watch, "post", made.post)
    return made


@pytest.mark.parametrize(("words", "calls"), [((), Calls.ECHO), (("--deep",), Calls.DEEP)])
def test_a_night_places_the_calls_that_its_unit_names(
    night: Night, words: tuple[str, ...], calls: Calls
) -> None:
    night.site("--notify", str(night.path), *words)
    assert night.site.calls == [calls]


def test_nights_tell_what_changed_and_nothing_else(night: Night) -> None:
    night()
    assert night.told == [(HOOK, "uContact demo: PASS, current state")]
    night()
    assert len(night.told) == 1
    night.site.findings = (BROKEN,)
    assert night().code == 1
    assert night.told[-1][1] == "uContact demo: FAIL, 1 worse"
    night()
    assert len(night.told) == 2


def test_what_somebody_saw_by_day_is_told_by_night(night: Night) -> None:
    night()
    night.site.findings = (BROKEN,)
    night.site()
    night()
    assert night.told[-1][1] == "uContact demo: FAIL, 1 worse"


def test_what_could_not_be_told_is_told_the_next_night(night: Night) -> None:
    night()
    night.site.findings = (BROKEN,)
    night.down = True
    answer = night()
    assert answer.code == 3
    assert "not all notifications were delivered" in answer.err
    night.down = False
    night()
    assert night.told[-1][1] == "uContact demo: FAIL, 1 worse"


def test_a_night_that_can_not_look_says_so(night: Night) -> None:
    (night.site.folder / "site.yml").write_text("site: demo\n")
    assert night().code == 2
    assert night.told == [(HOOK, "uContact demo: the checks could not run")]


def test_the_screen_names_the_cause_and_counts_what_waits_for_it(site: Site) -> None:
    others = tuple(finding(f"web.{n}", Verdict.SKIP, blocked_by="web.service") for n in range(3))
    site.findings = (GOOD, BROKEN, BEHIND, *others)
    told = site().out
    assert told.count("fail web.service on one") == 1
    assert "not judged because of it: one (4)" in told
    assert "web.page" not in told
    assert "5 of them are not listed; --all lists them" in told
    assert "blocked" in site("--all").out
