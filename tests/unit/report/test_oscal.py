"""The OSCAL document is valid, claims no more than was seen, and refers to what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.report.samples import FINDINGS, TIME, finding, report
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Verdict
from ucontact_appliance.facts import certificates, host
from ucontact_appliance.report.exhibits import Exhibit, Method, exhibit_id
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.oscal import OSCAL_VERSION, to_oscal
from ucontact_appliance.report.write import FILES

SYSTEM, PAIR = (host.system, ()), (certificates.pair, ("/etc/ssl/a b#c",))
SHA256 = "0123456789abcdef" * 4
WAIVED = AppliedWaiver("the provider's *old* switch", date(2026, 12, 31))


def exhibit(question: Any, method: Method, began: str = "2026-03-02T02:29:00.500+00:00") -> Exhibit:
    return Exhibit(
        id=exhibit_id("one", question),
        host="one",
        probe="facts.of.some",
        arguments="",
        method=method,
        began=began,
        seconds=0.5,
        commands=(),
        answer="",
        problem="",
        sha256=SHA256,
    )


def made(*findings: Finding, exhibits: tuple[Exhibit, ...] = ()) -> dict[str, Any]:
    document = json.loads(to_oscal(report(*findings), exhibits))
    valid(document)
    return document["assessment-results"]


def valid(document: dict[str, Any]) -> None:
    """Held against the models that are generated from NIST's schema, where they are installed."""
    try:
        from trestle.oscal.assessment_results import Model  # noqa: PLC0415
    except ImportError:  # it has no release for Python 3.10
        return
    Model.model_validate_json(json.dumps(document))


def observation(document: dict[str, Any], check: str = "a.b") -> dict[str, Any]:
    return next(
        row
        for row in document["results"][0]["observations"]
        if {"check": check}.items() <= props(row).items()
    )


def status(document: dict[str, Any], requirement: str) -> dict[str, str]:
    return next(
        row["target"]["status"]
        for row in document["results"][0]["findings"]
        if row["target"]["target-id"] == f"{requirement}_obj"
    )


def props(row: dict[str, Any]) -> dict[str, str]:
    return {prop["name"]: prop["value"] for prop in row["props"]}


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Each key with its value, at any depth."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key, below
            yield from walk(below)
    elif isinstance(value, list):
        for below in value:
            yield from walk(below)


def test_the_validator_refuses_what_is_no_oscal() -> None:
    pydantic = pytest.importorskip("pydantic")
    pytest.importorskip("trestle", reason="it has no release for Python 3.10")
    document = json.loads(to_oscal(report(), ()))
    document["assessment-results"]["results"][0]["findings"][0]["verdict"] = "pass"
    with pytest.raises(pydantic.ValidationError):
        valid(document)


def test_the_version_is_the_newest_that_the_validator_knows() -> None:
    oscal = pytest.importorskip("trestle.oscal", reason="it has no release for Python 3.10")
    assert oscal.OSCAL_VERSION == OSCAL_VERSION


def test_there_is_an_observation_a_finding_and_a_finding_a_requirement() -> None:
    document = made()
    result = document["results"][0]
    assert len(result["observations"]) == len(FINDINGS)
    assert len(result["findings"]) == 32
    assert document["metadata"]["last-modified"] == "2026-03-02T02:30:05+00:00"
    assert "Observed: Ubuntu 24.04" in observation(document, "host.system")["description"]


def test_whatever_is_referred_to_is_there_and_no_uuid_stands_for_two_things() -> None:
    document = made(*FINDINGS, finding("a.b", Verdict.FAIL, "R01", host="stranger"))
    uuids = [value for key, value in walk(document) if key == "uuid"]
    assert len(uuids) == len(set(uuids))
    referred = {value for key, value in walk(document) if key.endswith("-uuid")}
    assert referred <= set(uuids)
    assert document["import-ap"]["href"].removeprefix("#") in uuids
    objectives = {
        part["id"]
        for row in document["local-definitions"]["objectives-and-methods"]
        for part in row["parts"]
    }
    for result in document["results"]:
        targets = {row["target"]["target-id"] for row in result["findings"]}
        selected = result["reviewed-controls"]["control-objective-selections"][0]
        assert targets <= objectives
        assert {row["objective-id"] for row in selected["include-objectives"]} == targets
        objectives -= targets
    assert objectives == set()


def test_each_framework_is_a_result_of_its_own_with_a_finding_for_each_control() -> None:
    word = {
        "control": "iso-27001/8.10",
        "statement": "deletion jobs seen to run",
        "by": "Ana Pérez, quality",
        "seen": "2026-01-15",
        "until": "2026-12-31",
    }
    sample = report(attestations=[word])
    document = json.loads(to_oscal(sample, ()))
    valid(document)
    results = document["assessment-results"]["results"]
    assert len(results) == 1 + len(sample.frameworks)
    for result, one in zip(results[1:], sample.frameworks, strict=True):
        assert props(result)["framework"] == one.framework.id
        assert len(result["findings"]) == len(one.assessments)
        verdicts = [props(row)["verdict"] for row in result["findings"]]
        assert verdicts == [assessed.verdict for assessed in one.assessments]
    objectives = document["assessment-results"]["local-definitions"]["objectives-and-methods"]
    ids = [row["control-id"] for row in objectives]
    assert len(ids) == len(set(ids))
    iso = next(one for one in results[1:] if props(one)["framework"] == "iso-27001")
    row = next(one for one in iso["findings"] if one["title"].startswith("8.10 "))
    assert row["target"]["target-id"] == "iso-27001_8.10_obj"
    assert "deletion jobs seen to run" in row["target"]["status"]["remarks"]


@pytest.mark.parametrize(
    ("verdict", "state", "reason"),
    [
        (Verdict.PASS, "satisfied", "pass"),
        (Verdict.WARN, "satisfied", "pass"),
        (Verdict.FAIL, "not-satisfied", "fail"),
        (Verdict.ERROR, "not-satisfied", "other"),
        (Verdict.SKIP, "not-satisfied", "other"),
    ],
)
def test_a_requirement_is_satisfied_where_its_checks_passed(
    verdict: Verdict, state: str, reason: str
) -> None:
    told = status(made(finding("a.b", verdict, "R01")), "R01")
    assert (told["state"], told["reason"]) == (state, reason)


def test_what_was_not_wholly_seen_is_not_called_satisfied() -> None:
    document = made(finding("a.b", Verdict.PASS, "R01"), finding("a.c", Verdict.SKIP, "R01"))
    assert status(document, "R01")["state"] == "not-satisfied"
    assert "All that could be seen passed" in status(document, "R01")["remarks"]
    assert status(document, "R14")["reason"] == "other"  # no check covers it
    assert "Manual review" in status(document, "R14")["remarks"]


def test_evidence_is_named_by_exhibit_with_its_hash_and_method() -> None:
    document = made(
        finding("a.b", Verdict.PASS, "R01", sources=(SYSTEM, PAIR)),
        exhibits=(
            exhibit(SYSTEM, Method.PROBED),
            exhibit(PAIR, Method.READ, "2026-03-02T02:29:40.000+00:00"),
        ),
    )
    row = observation(document)
    assert row["methods"] == ["EXAMINE", "TEST"]
    assert row["collected"] == "2026-03-02T02:29:40.000+00:00"
    hrefs = [one["href"] for one in row["relevant-evidence"]]
    assert hrefs[0] == "evidence.json#one/facts.host.system"
    assert hrefs[1] == f"evidence.json#{exhibit_id('one', PAIR)}"
    assert props(row["relevant-evidence"][0]) == {"sha256": SHA256, "method": "probed"}
    assert document["results"][0]["start"] == "2026-03-02T02:29:00.500000+00:00"
    assert document["results"][0]["end"] == "2026-03-02T02:30:05+00:00"


def test_what_a_person_vouched_for_is_an_interview() -> None:
    document = made(
        finding("a.b", Verdict.PASS, "R01", sources=(SYSTEM,)),
        exhibits=(exhibit(SYSTEM, Method.ATTESTED),),
    )
    assert observation(document)["methods"] == ["INTERVIEW"]


def test_without_an_exhibit_no_method_is_claimed() -> None:
    document = made(finding("a.b", Verdict.PASS, "R01", sources=(SYSTEM,)))
    row = observation(document)
    assert row["methods"] == ["UNKNOWN"]
    assert [one["href"] for one in row["relevant-evidence"]] == ["report.json"]
    assert row["collected"] == "2026-03-02T02:30:05+00:00"


def test_only_what_failed_is_a_risk_with_its_remedy() -> None:
    document = made()
    (risk,) = document["results"][0]["risks"]
    assert risk["title"] == "Title of web.header.hpkp (one)"
    assert risk["status"] == "open"
    assert risk["remediations"][0]["description"].endswith("mend web.header.hpkp")
    related = [
        row["target"]["target-id"]
        for row in document["results"][0]["findings"]
        if "related-risks" in row
    ]
    assert related == ["R09_obj", "R10_obj"]
    assert "risks" not in made(finding("a.b", Verdict.PASS, "R01"))["results"][0]


def test_a_waived_failure_is_an_approved_deviation_that_ends() -> None:
    document = made(finding("a.b", Verdict.FAIL, "R01", waived=WAIVED))
    (risk,) = document["results"][0]["risks"]
    assert risk["status"] == "deviation-approved"
    assert risk["deadline"] == "2026-12-31T23:59:59+00:00"
    assert props(observation(document))["state"] == "waived"
    assert status(document, "R01") == {
        "state": "not-satisfied",
        "reason": "fail",
        "remarks": "It is not met, and the site's own file accepts that.",
    }


def test_a_blocked_check_names_what_it_builds_on() -> None:
    blocked = finding("a.b", Verdict.SKIP, "R01", observed="", blocked_by="host.reachable")
    row = observation(made(blocked))
    assert "depends on host.reachable" in row["description"]
    assert props(row)["blocked-by"] == "host.reachable"
    assert props(row)["state"] == "blocked"


def test_the_same_input_gives_the_same_bytes_and_a_server_keeps_its_uuid() -> None:
    assert to_oscal(report(), ()) == to_oscal(report(), ())
    later = report_at("2027-01-01T00:00:00+00:00")
    first, second = (json.loads(to_oscal(one, ())) for one in (report(), later))
    assert first["assessment-results"]["uuid"] != second["assessment-results"]["uuid"]
    assert server(first)["uuid"] == server(second)["uuid"]


def report_at(time: str) -> Report:
    values = {**vars(report()), "time": time}
    return Report(**values)


def server(document: dict[str, Any]) -> dict[str, Any]:
    items = document["assessment-results"]["results"][0]["local-definitions"]["inventory-items"]
    return items[0]


@pytest.mark.parametrize(
    ("address", "name"),
    [("192.0.2.1", "ipv4-address"), ("2001:db8::1", "ipv6-address"), ("one.example", "fqdn")],
)
def test_a_server_is_told_by_the_kind_of_address_that_it_has(address: str, name: str) -> None:
    base = report()
    host_row = type(base.hosts[0])(**{**vars(base.hosts[0]), "address": address})
    document = json.loads(to_oscal(Report(**{**vars(base), "hosts": (host_row,)}), ()))
    valid(document)
    assert props(server(document))[name] == address
    assert props(server(document))["os-name"] == "Ubuntu 24.04.1 LTS"


def test_what_a_server_answers_stays_text_in_markdown() -> None:
    evil = "<b>*x*</b> [a](javascript:b) `c` {{ insert: param, d }} snake_case _e_"
    told = observation(made(finding("a.b", Verdict.FAIL, "R01", observed=evil)))["description"]
    assert r"\<b\>\*x\*\</b\> \[a\](javascript:b) \`c\` \{{ insert: param, d }}" in told
    assert r"snake_case \_e\_" in told


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec=None), max_size=20))
def test_any_text_gives_a_valid_document(text: str) -> None:
    made(
        finding(
            "a.b",
            Verdict.FAIL,
            "R01",
            title=text,
            host=text,
            observed=text,
            required=text,
            remedy=text,
            waived=AppliedWaiver(text, TIME.date()),
        )
    )


def test_files_that_are_named_are_those_of_the_folder() -> None:
    named = {
        str(Path(value.partition("#")[0]))
        for key, value in walk(made())
        if key == "href" and not value.startswith(("#", "https://"))  # frameworks' own pages
    }
    assert named <= set(FILES)
