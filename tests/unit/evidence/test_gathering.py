"""What a report is made of is asked while hosts are in reach; who is out of it is said."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.unit.checks.subjects import FakeRunner, subjects
from tests.unit.facts.outputs import recorded
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.evidence.gathering import Gatherer
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import FactSource
from ucontact_appliance.site.secrets import Secrets

NOTHING = Secrets({})


class Host(FakeRunner):
    """A recorded host: packages by dpkg, archives by the probe that is given on stdin."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = 0,
    ) -> Completed:
        name = "java_archives-sid" if stdin is not None else "installed_packages-bullseye"
        return Completed(tuple(argv), 0, recorded(name), "", 0.0)


class Away(FakeRunner):
    """A host that went out of reach."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = 0,
    ) -> Completed:
        raise UnreachableError("the host is out of reach", evidence="ssh: no route")


def facts(runner: FakeRunner) -> FactSource:
    return FactSource(replace(subjects()[0].facts.reach, runner=runner))


def gathered(runner: FakeRunner) -> Gatherer:
    gatherer = Gatherer()
    gatherer({"one": facts(runner)})
    return gatherer


def feed(folder: Path, days: float = 0) -> Path:
    """A feed that knows one vulnerability of every bullseye's libc6, written so many days ago."""
    path = folder / "feed.json"
    release = {"status": "open", "repositories": {"bullseye": "2.31"}, "urgency": "high"}
    issue = {"description": "d", "scope": "remote", "releases": {"bullseye": release}}
    path.write_text(json.dumps({"glibc": {"CVE-2026-0001": issue}}), encoding="utf-8")
    written = (datetime.now(timezone.utc) - timedelta(days=days)).timestamp()
    os.utime(path, (written, written))
    return path


def test_what_is_installed_is_evidence_itself() -> None:
    evidence = gathered(Host()).evidence((), NOTHING)
    (contents,) = evidence.contents
    assert contents.packages.suite == "bullseye"
    probes = {one.probe for one in evidence.exhibits}
    assert probes == {"facts.components.installed_packages", "facts.components.java_archives"}
    assert {one.method.value for one in evidence.exhibits} == {"read"}
    assert any(one.name == "typer" for one in evidence.controller.distributions)


def test_a_host_that_went_away_is_said_and_ends_nothing() -> None:
    (contents,) = gathered(Away()).evidence((), NOTHING).contents
    assert "out of reach" in contents.packages.unread[0]
    assert "out of reach" in contents.archives.unread[0]


def test_without_a_feed_nothing_is_known_of_vulnerabilities() -> None:
    assert gathered(Host()).evidence((), NOTHING).vulnerabilities is None


def test_a_fresh_feed_is_judged_by(tmp_path: Path) -> None:
    known = gathered(Host()).evidence((), NOTHING, feed(tmp_path)).vulnerabilities
    assert known is not None
    assert known.refused == ""
    ((host, judged),) = known.hosts
    assert host == "one"
    assert {one.cve for one in judged.affected} == {"CVE-2026-0001"}


def test_an_old_feed_is_no_evidence(tmp_path: Path) -> None:
    known = gathered(Host()).evidence((), NOTHING, feed(tmp_path, days=8)).vulnerabilities
    assert known is not None
    assert known.refused == "it is 8 days old; the limit for evidence is 7 days"
    assert known.hosts == ()


def test_a_feed_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        gathered(Host()).evidence((), NOTHING, tmp_path / "none.json")
