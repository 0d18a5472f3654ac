"""The timer: its units, where it is refused, and what the night tells."""

from __future__ import annotations

import configparser
import json
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.unit.findings.test_changes import finding
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.findings.changes import EarlierFinding, compare
from ucontact_appliance.language.choice import Language
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate import timer as watch
from ucontact_appliance.operate.timer import TimerSettings, install_timer, load_watch, remove_timer

SECRET = "https://chat.example.com/hooks/T0pS3cret"
SITE, KEPT = Path("/srv/the 100% site/site.yml"), Path("/etc/ucontact/acme/watch.json")
ACME = TimerSettings(site="acme", at="04:15", mail="noc@example.com", webhook=SECRET)


def units() -> dict[str, str]:
    return watch.render_units(ACME, SITE, KEPT)


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def test_the_units_run_the_doctor_at_that_time() -> None:
    texts = units()
    assert set(texts) == {"ucontact-doctor-acme.service", "ucontact-doctor-acme.timer"}
    service = parsed(texts["ucontact-doctor-acme.service"])["Service"]
    assert service["ExecStart"] == (
        f'"{sys.executable}" "-m" "ucontact_appliance" "doctor" '
        '"--site" "/srv/the 100%% site/site.yml" "--notify" "/etc/ucontact/acme/watch.json"'
    )
    assert service["SuccessExitStatus"] == "1"
    timer = parsed(texts["ucontact-doctor-acme.timer"])["Timer"]
    assert timer["OnCalendar"] == "*-*-* 04:15:00"
    assert timer["Persistent"] == "true"


def test_nobodys_address_is_in_a_unit_that_all_can_read() -> None:
    assert not [text for text in units().values() if "T0pS3cret" in text or "noc@" in text]
    assert "T0pS3cret" not in repr(ACME)


def test_moved_state_folders_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UCONTACT_ETC", "/srv/my etc")
    service = units()["ucontact-doctor-acme.service"]
    assert 'Environment="UCONTACT_ETC=/srv/my etc"\n' in service


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name, text in units().items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ucontact-doctor" not in done.stderr


def test_a_path_that_would_break_out_of_its_line_is_refused() -> None:
    with pytest.raises(UsageError):
        watch.render_units(ACME, Path("/srv/a\nExecStart=/bin/false"), KEPT)


@pytest.mark.parametrize("at", ["24:00", "3:30", "03:60", "03:30\nX=1", "noon"])
def test_what_is_no_time_of_day_is_refused(at: str) -> None:
    with pytest.raises(ValueError, match="at"):
        TimerSettings(site="acme", at=at)


def test_where_systemd_does_not_run_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_BOOTED", tmp_path / "none")
    with pytest.raises(UsageError) as caught:
        install_timer(ACME, SITE, tmp_path / "watch.json", tmp_path)
    assert "does not run systemd" in caught.value.what
    assert "process 1 is" in caught.value.evidence
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of units, and a systemctl that writes down what it is told."""
    monkeypatch.setattr(watch, "_BOOTED", tmp_path)
    monkeypatch.setattr(watch, "_systemctl", lambda *words: told(tmp_path, words))
    monkeypatch.setattr(watch, "find_sendmail", lambda: "/usr/sbin/sendmail")
    monkeypatch.setattr(watch, "_verify", lambda texts: None)
    monkeypatch.setattr(watch, "_demand_importable", lambda: None)
    return tmp_path


def told(folder: Path, words: tuple[str, ...]) -> str:
    with (folder / "told").open("a") as stream:
        stream.write(" ".join(words) + "\n")
    return "Tue 2026-11-24 04:15:00 UTC\n" if words[0] == "show" else ""


def test_a_timer_is_laid_down_and_taken_away(systemd: Path) -> None:
    kept = systemd / "etc" / "watch.json"
    timer = install_timer(ACME, SITE, kept, systemd)
    assert timer.next == "Tue 2026-11-24 04:15:00 UTC"
    assert load_watch(kept) == ACME
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "enable ucontact-doctor-acme.timer" in (systemd / "told").read_text()
    assert remove_timer("acme", kept, systemd)
    assert "disable --now ucontact-doctor-acme.timer" in (systemd / "told").read_text()
    assert not kept.exists()
    assert not list(systemd.glob("ucontact-doctor-*"))
    assert not remove_timer("acme", kept, systemd)


def test_a_damaged_file_is_told_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "watch.json"
    path.write_text(f'{{"site": 1, "webhook": "{SECRET}"}}')
    with pytest.raises(UnreachableError) as caught:
        load_watch(path)
    assert "T0pS3cret" not in str(vars(caught.value))


NOW = datetime(2026, 11, 23, 3, 30, tzinfo=timezone.utc)


def test_everybody_is_told_and_one_who_is_not_hides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, ...]] = []

    def no_mail(*words: str) -> None:
        raise UnreachableError("sendmail did not take the mail", evidence="exit status 75")

    monkeypatch.setattr(watch, "send_mail", no_mail)
    monkeypatch.setattr(watch, "post", lambda url, document: sent.append((url, document["text"])))
    findings = [finding("tls.chain", Verdict.FAIL)]
    changes = compare([EarlierFinding("tls.chain", "one", "t", "pass")], findings, NOW)
    with pytest.raises(UnreachableError) as caught:
        watch.tell(ACME, NOW, changes, findings)
    assert "exit status 75" in caught.value.evidence
    assert sent[0][0] == SECRET
    assert sent[0][1].startswith("uContact acme: FAIL, 1 worse\n")


def test_a_night_tells_in_the_language_that_its_timer_was_set_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[dict[str, object]] = []
    monkeypatch.setattr(watch, "send_mail", lambda *words: None)
    monkeypatch.setattr(watch, "post", lambda url, document: sent.append(document))
    spanish = ACME.model_copy(update={"lang": Language.ES})
    findings = [replace(finding("tls.chain", Verdict.FAIL), observed=_("there is no certificate"))]
    changes = compare([EarlierFinding("tls.chain", "one", "t", "pass")], findings, NOW)
    watch.tell(spanish, NOW, changes, findings)
    text, told = str(sent[0]["text"]), json.dumps(sent[0]["changes"], ensure_ascii=False)
    assert text.startswith("uContact acme: FALLA, 1 peor\n")
    assert "observado: no hay certificado" in text
    assert "no hay certificado" in told
    assert "there is no certificate" not in text + told
    error = UnreachableError(_("MySQL can't be reached"), evidence="raw", helps="systemctl start x")
    watch.tell_trouble(spanish, error)
    assert sent[1]["text"] == (
        "uContact acme: las comprobaciones no se pudieron ejecutar\n\n"
        "no se llega a MySQL\nraw\npruebe: systemctl start x\n"
    )


def test_the_calls_of_a_deep_timer_are_in_its_unit() -> None:
    texts = watch.render_units(ACME.model_copy(update={"deep": True}), SITE, KEPT)
    service = parsed(texts["ucontact-doctor-acme.service"])["Service"]
    assert '"doctor" "--deep" "--site"' in service["ExecStart"]
