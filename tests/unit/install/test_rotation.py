"""A new secret is the server's and the file's, or neither's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts.managed import InstallationRecord
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install import rotation
from ucontact_appliance.install.job import Job, Surveyed
from ucontact_appliance.install.journal import Journal, Progress, entry, save_journal
from ucontact_appliance.install.lock import install_lock
from ucontact_appliance.install.rotation import FILE, AppliedWhen, rotate
from ucontact_appliance.operate.installed import save_plan
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.site.secrets import load_secrets, save_secrets, with_generated
from ucontact_appliance.state import StatePaths, state_paths

NAME = "telephony.extensions.6001"
SITE = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts:
  - {name: one, address: 192.0.2.10}
telephony:
  extensions: ["6001", "6002"]
  trunks:
    - {name: acme, host: sip.example.net, username: me}
"""
PHONE = """\
  phones:
    - {mac: "80:5e:c0:11:22:33", model: yealink, extension: "6003"}
"""
LOAD, PROVE = "load", "prove"


@dataclass
class Server:
    """A telephony server: the secret that it has, and the steps at which it fails, in order."""

    secret: str
    failures: list[tuple[str, BaseException]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def fail(self, step: str) -> None:
        if self.failures and self.failures[0][0] == step:
            raise self.failures.pop(0)[1]

    def play(self, job: Job, playbook: str, tag: str) -> int:
        assert (playbook, tag) == ("telephony", "telephony_extensions")
        # What failed may have been done all the same.
        self.secret = job.secrets[NAME]
        self.fail(LOAD)
        return 2

    def answer(self, reach: ProbeContext, number: str, secret: str, ca_file: str) -> int:
        self.asked.append(number)
        self.fail(PROVE)
        return 200 if secret == self.secret else 401


@dataclass(frozen=True)
class Here:
    """An installed site on the machine that installs."""

    site_file: Path
    paths: StatePaths
    server: Server
    said: list[str] = field(default_factory=list)

    @property
    def stored(self) -> str:
        return load_secrets(self.paths.secrets)[NAME]

    def rotate(self, name: str = NAME) -> rotation.RotatedSecret:
        return rotate(name, self.site_file, self.said.append)

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in self.paths.logs.glob("*"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    path = tmp_path / "site.yml"
    path.write_text(SITE)
    site = load_site(path)
    paths = state_paths(site.site)
    secrets = with_generated(site, {"telephony.trunks.acme": "given one"})
    save_secrets(paths.secrets, secrets)
    save_plan(paths, make_plan(site, {}))
    save_journal(paths.journal, Journal(inputs={"site": site.model_dump(mode="json")}))
    files = {FILE: "old", "/etc/asterisk/rtp.conf": "as installed"}
    paths.managed.write_text(
        InstallationRecord(hosts={"one": files, "two": files}).model_dump_json()
    )
    server = Server(secrets[NAME])

    def look(found: Site, known: StatePaths) -> Surveyed:
        survey = Survey("debian", "", "Debian sid", 8192)
        return Surveyed(found, {"one": survey}, {"one": "192.0.2.10"}, make_plan(found, {}))

    @contextmanager
    def reached(host: Host, ssh: SshSettings) -> Iterator[None]:
        yield None

    @contextmanager
    def held(*words: object) -> Iterator[None]:
        yield None  # no server is there to be locked

    monkeypatch.setattr(rotation, "look", look)
    monkeypatch.setattr(rotation, "hold_servers", held)
    monkeypatch.setattr(rotation, "runner_for", reached)
    monkeypatch.setattr(rotation, "play_tagged", server.play)
    monkeypatch.setattr(rotation, "login_status", server.answer)
    monkeypatch.setattr(
        rotation, "look_at_files", lambda runner, names: dict.fromkeys(names, "new")
    )
    monkeypatch.setattr(rotation, "_PAUSE_SECONDS", 0.0)
    return Here(path, paths, server)


def test_a_new_secret_is_on_the_server_and_in_the_file(here: Here) -> None:
    before = dict(load_secrets(here.paths.secrets))
    done = here.rotate()
    after = dict(load_secrets(here.paths.secrets))
    assert (done.name, done.taken, done.host) == (NAME, AppliedWhen.NOW, "one")
    assert here.server.secret == after[NAME] != before[NAME]
    assert len(after[NAME]) == len(before[NAME])
    assert {name for name in after if after[name] != before[name]} == {NAME}
    assert here.server.asked == ["6001"]


def test_the_doctor_knows_the_file_as_it_is_now_and_blesses_no_other(here: Here) -> None:
    here.rotate()
    hosts = json.loads(here.paths.managed.read_text())["hosts"]
    assert hosts["one"] == {FILE: "new", "/etc/asterisk/rtp.conf": "as installed"}
    assert hosts["two"][FILE] == "old"


def test_neither_log_nor_words_have_a_secret(here: Here) -> None:
    before = here.stored
    here.rotate()
    assert "taken over by one" in here.log
    for secret in (before, here.stored):
        assert secret not in here.log + repr(here.said)


NO_WAY = UnreachableError("host one can't be reached", evidence="timed out")


@pytest.mark.parametrize(
    ("step", "error", "kind"),
    [
        (LOAD, PhaseFailedError("host one: Reload", evidence="no Asterisk"), PhaseFailedError),
        (LOAD, NO_WAY, UnreachableError),
        (PROVE, NO_WAY, UnreachableError),
        (PROVE, asyncio.TimeoutError(), PhaseFailedError),
        (LOAD, KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_what_fails_leaves_the_old_secret_everywhere(
    here: Here, step: str, error: BaseException, kind: type[BaseException]
) -> None:
    before = here.stored
    here.server.failures = [(step, error)]
    with pytest.raises(kind) as caught:
        here.rotate()
    assert here.stored == here.server.secret == before
    if kind is not KeyboardInterrupt:
        assert f"{NAME} keeps its secret" in str(caught.value)
        assert caught.value.helps  # type: ignore[attr-defined]


def test_a_server_that_refuses_the_new_secret_keeps_the_old_one(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = here.stored
    asked: list[str] = []

    def refuse(reach: ProbeContext, number: str, secret: str, ca_file: str) -> int:
        asked.append(secret)
        return 401

    monkeypatch.setattr(rotation, "login_status", refuse)
    with pytest.raises(PhaseFailedError, match="does not accept the new secret of 6001") as caught:
        here.rotate()
    assert "answered with 401" in caught.value.evidence
    assert here.stored == here.server.secret == before
    assert len(asked) < 5, "Asterisk would ban this machine"


def test_a_secret_that_can_not_be_stored_is_taken_from_the_server_again(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = here.stored

    def full(path: Path, values: Any) -> None:
        raise UnreachableError(f"{path} can't be written", evidence="No space left on device")

    monkeypatch.setattr(rotation, "save_secrets", full)
    with pytest.raises(UnreachableError, match="keeps its secret"):
        here.rotate()
    assert here.stored == here.server.secret == before


def test_where_the_old_secret_can_not_be_given_back_an_install_mends(here: Here) -> None:
    before = here.stored
    leaking = f"it said {before}"
    here.server.failures = [
        (LOAD, PhaseFailedError("host one: Reload", evidence=leaking)),
        (LOAD, NO_WAY),
    ]
    with pytest.raises(PhaseFailedError, match="the secret on the server may differ") as caught:
        here.rotate()
    assert caught.value.helps.startswith(f"ucontact install --site {here.site_file} --yes")
    assert "can't be reached" in caught.value.evidence
    assert before not in caught.value.evidence
    assert here.stored == before


@pytest.mark.parametrize(
    "name",
    [
        "database.accounts.integra",
        "database.accounts.asterisk",
        "database.accounts.doctor",
        "telephony.ami.ucontact",
        "telephony.ami.recording",
        "telephony.ami.backend",
        "telephony.playback",
        "stun.turn",
        "backend.users.supervisor",
    ],
)
def test_every_other_generated_secret_waits_for_the_next_install(here: Here, name: str) -> None:
    before = dict(load_secrets(here.paths.secrets))
    done = here.rotate(name)
    after = dict(load_secrets(here.paths.secrets))
    assert done.taken is AppliedWhen.NEXT_INSTALL
    assert {known for known in after if after[known] != before[known]} == {name}
    assert here.server.secret == before[NAME]


@pytest.mark.parametrize(
    ("name", "told", "helps"),
    [
        ("telephony.trunks.acme", "issued by the provider", "ucontact secrets set"),
        ("ca.key", "every PC that trusts the site's CA", ""),
        ("pki/portal.key", "the backup key", ""),
        ("report.key", "auditors", ""),
        ("telephony.extensions.6009", "no generated secret", "ucontact secrets list"),
        ("nonsense", "stun.turn", "ucontact secrets list"),
    ],
)
def test_what_can_not_get_a_new_value_is_refused_with_the_reason(
    here: Here, name: str, told: str, helps: str
) -> None:
    before = here.paths.secrets.read_bytes()
    with pytest.raises(UsageError) as caught:
        here.rotate(name)
    assert told in f"{caught.value} {caught.value.evidence}"
    assert caught.value.helps.startswith(helps)
    assert here.paths.secrets.read_bytes() == before


@pytest.mark.parametrize("name", [NAME, "stun.turn"])
def test_an_interrupted_install_is_continued_first(here: Here, name: str) -> None:
    before = here.paths.secrets.read_bytes()
    journal = Journal(progress=Progress.FAILED, phases=(entry("stun", Progress.DONE),))
    save_journal(here.paths.journal, journal)
    with pytest.raises(UsageError, match="interrupted") as caught:
        here.rotate(name)
    assert "ucontact install" in caught.value.helps
    assert here.paths.secrets.read_bytes() == before


def test_an_install_that_only_its_checks_ended_keeps_no_secret_from_being_changed(
    here: Here,
) -> None:
    site = load_site(here.site_file).model_dump(mode="json")
    phases = (entry("stun", Progress.DONE), entry("verify", Progress.FAILED))
    save_journal(
        here.paths.journal,
        Journal(inputs={"site": site}, progress=Progress.FAILED, phases=phases),
    )
    assert here.rotate().taken is AppliedWhen.NOW


def test_extensions_that_are_not_installed_yet_are_not_laid_down_in_passing(here: Here) -> None:
    here.site_file.write_text(SITE.replace('"6002"', '"6002", "6003"'))
    with pytest.raises(UsageError, match=r"the extensions or phones in site\.yml differ") as caught:
        here.rotate()
    assert caught.value.evidence == "installed: 6001, 6002"
    with pytest.raises(UsageError, match="not installed yet"):
        here.rotate("telephony.extensions.6003")


def test_a_phones_secret_waits_for_the_install_that_writes_its_file(here: Here) -> None:
    here.site_file.write_text(SITE.replace('"6002"', '"6002", "6003"') + PHONE)
    site = load_site(here.site_file)
    save_secrets(here.paths.secrets, with_generated(site, load_secrets(here.paths.secrets)))
    save_journal(here.paths.journal, Journal(inputs={"site": site.model_dump(mode="json")}))
    before = load_secrets(here.paths.secrets)
    for name in ("telephony.extensions.6003", "telephony.phones.805ec0112233"):
        assert here.rotate(name).taken is AppliedWhen.NEXT_INSTALL
        assert load_secrets(here.paths.secrets)[name] != before[name]
    assert here.server.asked == []
    assert here.rotate().taken is AppliedWhen.NOW


def test_a_phone_that_is_not_installed_yet_is_not_laid_down_in_passing(here: Here) -> None:
    here.site_file.write_text(SITE + PHONE.replace("6003", "6002"))
    with pytest.raises(UsageError, match=r"the extensions or phones in site\.yml differ"):
        here.rotate()


def test_nothing_is_changed_beside_an_installation(here: Here) -> None:
    with install_lock(here.paths.lock), pytest.raises(UsageError, match="another ucontact"):
        here.rotate()


def test_a_damaged_record_of_what_was_written_is_told_before_anything(here: Here) -> None:
    before = here.stored
    here.paths.managed.write_text("{")
    with pytest.raises(UnreachableError, match="record of what was installed"):
        here.rotate()
    assert here.stored == here.server.secret == before
    assert here.server.asked == []
