"""Exhibits are what was asked and said, without secrets, and each has its hash."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance.facts import certificates, host
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.facts.stored import Redaction
from ucontact_appliance.report.exhibits import (
    Exhibit,
    Method,
    digest,
    exhibit_id,
    exhibits,
    method_of,
)

SECRET = "Zq3vX9bL2mN8cR5t"


def secretive(reach: ProbeContext, word: str) -> str:
    return reach.runner.run(["cat", f"/etc/{word}"]).stdout


def _asked() -> tuple[Exhibit, ...]:
    site = small_site()
    runner = FakeRunner(lambda argv: Completed(tuple(argv), 0, f"password={SECRET}\n", "", 0.2))
    source = FactSource(ProbeContext(site, site.hosts[0], runner))  # type: ignore[arg-type]
    source.get(secretive, "odbc.ini")
    source.get(secretive, SECRET)
    return exhibits("one", source.asked(), Redaction({"mysql.doctor": SECRET}))


def test_commands_and_answers_are_kept_without_secrets() -> None:
    first, second = _asked()
    assert first.commands[0].argv == ("cat", "/etc/odbc.ini")
    assert first.commands[0].stdout == first.answer == "password=[secret mysql.doctor]\n"
    assert SECRET not in repr((first, second))
    assert second.commands[0].argv[1] == "/etc/[secret mysql.doctor]"


def test_the_hash_is_that_of_the_content_and_of_nothing_else() -> None:
    first, _ = _asked()
    assert first.sha256 == digest(asdict(first))
    assert digest({**asdict(first), "method": "read", "seconds": 9}) == first.sha256
    assert digest({**asdict(first), "answer": "other"}) != first.sha256


def test_the_same_question_has_the_same_name_in_each_report() -> None:
    assert exhibit_id("one", (host.system, ())) == "one/facts.host.system"
    named = exhibit_id("one", (secretive, ("a",)))
    assert named == exhibit_id("one", (secretive, ("a",)))
    assert named != exhibit_id("one", (secretive, ("b",)))


@pytest.mark.parametrize(
    ("probe", "method"),
    [(certificates.pair, Method.READ), (host.system, Method.PROBED)],
)
def test_what_was_read_is_told_from_what_was_probed(probe: object, method: Method) -> None:
    name = f"facts.{probe.__module__.rpartition('.')[2]}.{probe.__name__}"  # type: ignore[attr-defined]
    assert method_of(name) is method
