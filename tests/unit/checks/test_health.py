"""The health resource is asked where the installed release has it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.subjects import FakeRunner, subjects
from ucontact_appliance.checks import backend, web
from ucontact_appliance.checks.model import Check, Subject, Verdict
from ucontact_appliance.facts.backend import backend_health
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.release.manifest import FileEntry, ReleaseManifest
from ucontact_appliance.release.remembered import remember_manifest
from ucontact_appliance.site.files import private_dir
from ucontact_appliance.state import StatePaths

CHECKS = {check.id: check for check in (*backend.CHECKS, *web.CHECKS)}
ASKING = ("backend.health", "backend.schemas", "web.rest")


def subject(
    folder: Path, health: str | None, *, installed: bool = True, bare: str = "0.002"
) -> tuple[Subject, list[str]]:
    """A subject whose release has that health resource, and the commands that its host is asked."""
    asked: list[str] = []

    def answer(argv: list[str]) -> Completed:
        asked.append(" ".join(argv))
        said = f"{bare}\n" * 3 if "/dev/null" in argv else '{"status": "UP"}\n200\n'
        return Completed(tuple(argv), 0, said, "", 0.0)

    paths = StatePaths(folder / "etc", folder / "var")
    if installed:
        files = {"web/a": FileEntry(sha256="0" * 64, size=1)}
        manifest = ReleaseManifest(name="vendor", version="7.1", health=health, files=files)
        (folder / "manifest.json").write_bytes(manifest.document())
        private_dir(paths.var)
        remember_manifest(paths, folder / "manifest.json")
    (one,) = subjects()
    facts = FactSource(ProbeContext(one.site, one.host, FakeRunner(answer)))  # type: ignore[arg-type]
    return replace(one, state=paths, facts=facts), asked


def test_the_releases_own_path_is_asked(tmp_path: Path) -> None:
    one, asked = subject(tmp_path, "/Vendor/rest/alive")
    assert CHECKS["backend.health"].judge(one).verdict is Verdict.PASS
    assert asked[0].endswith("http://127.0.0.1:8080/Vendor/rest/alive")
    assert "/Vendor/rest/alive" in CHECKS["backend.health"].judge(one).required


def test_a_healthy_one_that_keeps_everybody_waiting_fails(tmp_path: Path) -> None:
    one, _ = subject(tmp_path, "/Vendor/rest/alive", bare="1.2")
    judged = CHECKS["backend.health"].judge(one)
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "slow: the response took 1.2 s")


def test_the_portal_is_asked_for_the_same_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def page(reach: ProbeContext, path: str) -> object:
        asked.append(path)
        raise LookupError(path)

    monkeypatch.setattr(web.facts, "page", page)
    one, _ = subject(tmp_path, "/Vendor/rest/alive")
    with pytest.raises(LookupError):
        CHECKS["web.rest"].judge(one)
    assert asked == ["/Vendor/rest/alive"]


@pytest.mark.parametrize("check", [CHECKS[name] for name in ASKING], ids=ASKING)
@pytest.mark.parametrize(
    ("installed", "why"), [(True, "vendor 7.1 names no health"), (False, "no record")]
)
def test_a_release_without_one_is_skipped_with_the_reason(
    tmp_path: Path, check: Check, installed: bool, why: str
) -> None:
    one, asked = subject(tmp_path, None, installed=installed)
    judged = check.judge(one)
    assert judged.verdict is Verdict.SKIP
    assert why in judged.observed
    assert asked == []


def test_the_fact_asks_that_path(tmp_path: Path) -> None:
    one, asked = subject(tmp_path, None)
    assert one.facts.get(backend_health, "/x", 2.0).status == 200
    assert asked[0].endswith(":8080/x")
