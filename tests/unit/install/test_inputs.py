"""What decides that a phase has to run again: its inputs, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install import inputs
from ucontact_appliance.install.events import nobody
from ucontact_appliance.install.inputs import enough_tags, named_values, phase_inputs
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.phases import INSTALL
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.secrets import Secrets, with_generated
from ucontact_appliance.state import StatePaths

_PHASES = tuple(phases())


def test_every_phase_with_a_playbook_has_a_row() -> None:
    playbooks = {path.stem for path in (INSTALLER / "playbooks").glob("*.yml")}
    assert set(_PHASES) == playbooks
    assert playbooks <= {phase.id for phase in INSTALL}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: '{{ site.web.hsts }}'", {("site", "web", "hsts")}),
        ("a: [{b: '{{ x ~ secrets[\"stun\"].turn }}'}]", {("secrets", "stun", "turn")}),
        ("a: '{{ secrets.extensions[number] }}'", {("secrets", "extensions")}),
        ("a: '{{ site | to_json }}'", {("site",)}),
        ("a: '{% for x in site.hosts %}{{ x.site }}{% endfor %}'", {("site", "hosts")}),
        ("when: plan.size == 'small' and site.a", {("plan", "size"), ("site", "a")}),
        ("name: Web server of the site", set()),
        ("a: '{{ sites.web }}'", set()),
    ],
)
def test_named_values(text: str, found: set[tuple[str, ...]]) -> None:
    assert named_values(text, {"site", "plan", "secrets"}) == found


@pytest.fixture
def job(tmp_path: Path) -> Job:
    site = small_site(telephony={"extensions": ["6001"]})
    seen = Surveyed(
        site,
        {"one": Survey("debian", "", "Debian sid", 8192)},
        {"one": "192.0.2.10"},
        make_plan(site, {}),
    )
    pki = tmp_path / "pki"
    pki.mkdir()
    (pki / "portal.pem").write_text("certificate")
    return Job(
        seen=seen,
        site_file=tmp_path / "site.yml",
        release=ReleaseFiles(tmp_path / "a", tmp_path / "b", "0" * 64),
        secrets=Secrets(with_generated(site, {})),
        paths=StatePaths(tmp_path, tmp_path),
        ssh=SshSettings(tmp_path / "known_hosts", tmp_path / "one"),
        observer=nobody,
        log=lambda line: None,
    )


def changed(before: Job, after: Job) -> set[str]:
    """The phases whose inputs differ."""
    return {phase for phase in _PHASES if phase_inputs(before, phase) != phase_inputs(after, phase)}


def _with_site(job: Job, **changes: Any) -> Job:
    site = job.site.model_copy(update=changes)
    return replace(job, seen=replace(job.seen, site=site))


def _with_extension(job: Job) -> Job:
    telephony = job.site.telephony.model_copy(update={"extensions": ("6001", "6002")})
    more = _with_site(job, telephony=telephony)
    return replace(more, secrets=Secrets(with_generated(more.site, dict(job.secrets))))


def _with_secret(name: str) -> Callable[[Job], Job]:
    return lambda job: replace(job, secrets=Secrets({**job.secrets, name: "x" * 32}))


def _with_header(job: Job) -> Job:
    return _with_site(job, web=job.site.web.model_copy(update={"hsts_max_age": 1}))


def _with_certificate(job: Job) -> Job:
    (job.paths.pki / "portal.pem").write_text("another")
    return job


def _with_release(job: Job) -> Job:
    return replace(job, release=replace(job.stored_release, sha256="1" * 64))


def _with_address(job: Job) -> Job:
    return replace(job, seen=replace(job.seen, addresses={"one": "192.0.2.11"}))


@pytest.mark.parametrize(
    ("change", "phases"),
    [
        (_with_extension, {"telephony"}),
        (_with_header, {"web"}),
        (_with_secret("stun.turn"), {"stun"}),
        (_with_secret("database.accounts.integra"), {"database", "backend"}),
        (_with_secret("database.accounts.doctor"), {"database"}),
        (_with_secret("telephony.extensions.6001"), {"telephony"}),
        (_with_release, {"backend"}),
        (_with_address, set(_PHASES)),
    ],
)
def test_a_change_is_that_phases_matter_that_uses_it(
    job: Job, change: Callable[[Job], Job], phases: set[str]
) -> None:
    assert changed(job, change(job)) == phases


def test_a_phones_file_has_the_secrets_of_the_phone_and_its_extension(job: Job) -> None:
    telephony = {
        "extensions": ["6001", "6002"],
        "phones": [{"mac": "805ec0112233", "model": "yealink", "extension": "6002"}],
    }
    site = small_site(telephony=telephony)
    with_phone = replace(
        job,
        seen=replace(job.seen, site=site),
        secrets=Secrets(with_generated(site, job.secrets)),
    )
    assert changed(job, with_phone) == {"telephony", "web"}
    before, after = phase_inputs(job, "telephony"), phase_inputs(with_phone, "telephony")
    different = {name for name in before | after if before.get(name) != after.get(name)}
    assert enough_tags("telephony", different) == ("telephony_numbers",)
    for secret, concerned in (
        ("telephony.phones.805ec0112233", {"web"}),
        ("telephony.extensions.6002", {"telephony", "web"}),
        ("telephony.extensions.6001", {"telephony"}),
    ):
        assert changed(with_phone, _with_secret(secret)(with_phone)) == concerned


def test_for_a_new_extension_its_own_tasks_are_enough(job: Job) -> None:
    before, after = phase_inputs(job, "telephony"), phase_inputs(_with_extension(job), "telephony")
    different = {name for name in before | after if before.get(name) != after.get(name)}
    assert enough_tags("telephony", different) == ("telephony_numbers",)
    assert enough_tags("telephony", {*different, "secrets"}) == ()
    assert enough_tags("telephony", ()) == ()
    assert enough_tags("web", different) == ()


def test_the_tables_inputs_are_such(job: Job) -> None:
    for phase, row in phases().items():
        if row.playbook.part:
            assert set(row.playbook.part.inputs) <= phase_inputs(job, phase).keys()


def test_a_new_certificate_is_an_input_of_those_that_read_it(job: Job) -> None:
    before = {phase: phase_inputs(job, phase) for phase in _PHASES}
    _with_certificate(job)
    assert {p for p in _PHASES if phase_inputs(job, p) != before[p]} == {"certificates", "web"}


def test_another_key_of_recordings_is_an_input_of_telephony(job: Job) -> None:
    before = {phase: phase_inputs(job, phase) for phase in _PHASES}
    (job.paths.pki / "recordings.pem").write_text("another", encoding="utf-8")
    changed_phases = {p for p in _PHASES if phase_inputs(job, p) != before[p]}
    assert changed_phases == {"certificates", "telephony", "web"}


def test_where_the_shared_connection_lies_is_no_input(job: Job, tmp_path: Path) -> None:
    elsewhere = replace(job, ssh=SshSettings(tmp_path / "known_hosts", tmp_path / "two"))
    assert changed(job, elsewhere) == set()


def test_what_is_to_be_issued_first_is_an_input(job: Job) -> None:
    assert phase_inputs(job, "certificates") != phase_inputs(job, "certificates", ("portal.pem",))


def test_a_change_of_the_code_is_everybodys(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = phase_inputs(job, "web")
    folder = tmp_path / "roles"
    folder.mkdir()
    (folder / "x.yml").write_text("---\n")
    monkeypatch.setattr(inputs, "_FOLDERS", (folder,))
    inputs._code.cache_clear()
    other = phase_inputs(job, "web")
    assert other != before
    (folder / "x.yml").write_text("--- # another\n")
    inputs._code.cache_clear()
    assert phase_inputs(job, "web") != other
    inputs._code.cache_clear()
