from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ucontact_appliance.checks.backend import (
    judge_health,
    judge_heap,
    judge_java,
    judge_pace,
    judge_schemas,
    judge_service,
)
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.backend import (
    BackendHealth,
    BackendService,
    parse_health,
    parse_seconds,
    parse_service,
)

GOOD = BackendService(
    loaded="loaded",
    active="active",
    enabled="enabled",
    result="success",
    since="Mon 2026-11-23 02:13:36 UTC",
    java="1.8.0_504",
    heap_mb=614,
)
PATH = "/Integra/resources/health"
MODULES = ("jasper", "jdbc", "mail", "others", "ssh", "ws")


def healthy(http: int = 200, **changes: Any) -> BackendHealth:
    document = {
        "status": "UP",
        "evaluation": True,
        "version": "0.1.0-ab",
        "checks": {"ccrepo": "UP", "ccdata": "UP", "mail": "UP"},
        "modules": {name: {"status": "UP"} for name in MODULES} | {"jdbc": {"tls": "TLSv1.3"}},
    }
    return BackendHealth(http, "", {**document, **changes})


DATABASE_DOWN = healthy(
    503,
    status="DOWN",
    checks={"ccrepo": "DOWN", "ccdata": "DOWN", "mail": "UP"},
    modules={name: {"status": "UP"} for name in MODULES} | {"jdbc": {"status": "DOWN"}},
)


def verdicts(service: BackendService, health: BackendHealth) -> dict[str, Verdict]:
    return {
        "service": judge_service(service).verdict,
        "java": judge_java(service).verdict,
        "heap": judge_heap(service, 614).verdict,
        "health": judge_health(health, PATH).verdict,
        "schemas": judge_schemas(health).verdict,
    }


def test_a_good_backend_passes_everything() -> None:
    assert set(verdicts(GOOD, healthy()).values()) == {Verdict.PASS}


@pytest.mark.parametrize(
    ("service", "health", "check", "verdict"),
    [
        (replace(GOOD, active="failed", result="exit-code"), healthy(), "service", Verdict.FAIL),
        (replace(GOOD, active="inactive"), healthy(), "service", Verdict.FAIL),
        (replace(GOOD, loaded="masked"), healthy(), "service", Verdict.FAIL),
        (replace(GOOD, loaded="not-found"), healthy(), "service", Verdict.FAIL),
        (replace(GOOD, enabled="disabled"), healthy(), "service", Verdict.FAIL),
        (replace(GOOD, java="17.0.15"), healthy(), "java", Verdict.FAIL),
        (replace(GOOD, java=""), healthy(), "java", Verdict.SKIP),
        (replace(GOOD, heap_mb=256), healthy(), "heap", Verdict.FAIL),
        (replace(GOOD, heap_mb=None), healthy(), "heap", Verdict.FAIL),
        (GOOD, DATABASE_DOWN, "schemas", Verdict.FAIL),
        (GOOD, healthy(checks={"ccrepo": "UP"}), "schemas", Verdict.FAIL),
        (
            GOOD,
            healthy(checks={"ccrepo": "UP", "ccdata": "UP", "ws": "DOWN"}),
            "health",
            Verdict.FAIL,
        ),
    ],
)
def test_each_fault_fails_its_check_alone(
    service: BackendService, health: BackendHealth, check: str, verdict: Verdict
) -> None:
    found = verdicts(service, health)
    assert found.pop(check) is verdict
    assert set(found.values()) == {Verdict.PASS}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (BackendHealth(0, "curl: (7) Connection refused"), "no response: curl: (7)"),
        (BackendHealth(404, "", {"error": "x"}), "HTTP 404"),
        (BackendHealth(200, "", {}), "HTTP 200"),
        (healthy(503, modules={"ssh": {"status": "MISSING"}}), "ssh is MISSING"),
        (healthy(503, modules={"jdbc": {"status": "MISSING"}}), "jdbc is MISSING"),
        (healthy(503, modules={"mail": {"status": "DOWN"}}), "mail is DOWN"),
        (
            healthy(503, status="DOWN"),
            "HTTP 503: the backend as a whole is DOWN, but no component gives a reason",
        ),
        (healthy(200, status="DOWN"), "HTTP 200: the backend as a whole is DOWN"),
        (healthy(503), "HTTP 503: the backend as a whole is UP"),
        (healthy(200, status=None), "the backend as a whole reports no status"),
        (healthy(503, status="DOWN", checks="?", modules=[]), "the backend as a whole is DOWN"),
        (healthy(modules={"mail": {}}), "mail reports no status"),
        (healthy(modules={"mail": {"status": 1}}), "mail reports no status"),
        (healthy(modules={"mail": None}), "mail reports no status"),
        (healthy(modules={"mail": "DOWN"}), "mail is DOWN"),
        (healthy(modules={"jdbc": "MISSING"}), "jdbc is MISSING"),
        (healthy(checks={"ws": ["DOWN"]}), "ws reports no status"),
    ],
)
def test_bad_health_is_named(found: BackendHealth, said: str) -> None:
    judgement = judge_health(found, PATH)
    assert judgement.verdict is Verdict.FAIL
    assert said in judgement.observed


@pytest.mark.parametrize("jdbc", [None, [], "UP", 3, {"status": None}, {"tls": None}])
def test_odd_shapes_are_judged_by_what_is_known(jdbc: object) -> None:
    found = healthy(modules={"jdbc": jdbc}, checks={"ccrepo": {"status": "UP"}, "ccdata": "UP"})
    assert judge_health(found, PATH).verdict is Verdict.PASS
    schemas = judge_schemas(found)
    assert (schemas.verdict, schemas.observed) == (Verdict.PASS, "both UP")


@pytest.mark.parametrize(
    "changes",
    [
        {"checks": {"ccrepo": "DOWN", "ccdata": "UP"}},
        {"checks": {"ccrepo": "UP", "ccdata": ["?"]}},
        {"checks": {}, "modules": {"jdbc": {"status": "DOWN"}}},
    ],
)
def test_a_database_that_is_down_is_the_schemas_fault_alone(changes: dict[str, Any]) -> None:
    found = healthy(503, status="DOWN", **changes)
    assert judge_health(found, PATH).verdict is Verdict.PASS
    assert judge_schemas(found).verdict is Verdict.FAIL


def test_a_resource_that_knows_no_schemas_says_nothing_of_them() -> None:
    found = BackendHealth(200, "", {"status": "UP"})
    assert judge_health(found, PATH).verdict is Verdict.PASS
    assert judge_schemas(found).verdict is Verdict.SKIP


def test_no_answer_is_no_pass_for_the_schemas() -> None:
    assert judge_schemas(BackendHealth(0, "refused")).verdict is Verdict.FAIL


def test_the_units_and_the_process_become_a_record() -> None:
    text = (
        "---- unit\nResult=success\nLoadState=loaded\nActiveState=active\n"
        "UnitFileState=enabled\nActiveEnterTimestamp=Mon 2026-11-23 02:13:36 UTC\n"
        "---- arguments\n/usr/lib/jvm/java-8-openjdk-amd64/jre/bin/java\n-Xmx1g\n-Xmx614m\n-jar\n"
        '---- java\nopenjdk version "1.8.0_504"\nOpenJDK Runtime Environment (build 1.8.0_504)\n'
    )
    assert parse_service(text) == GOOD


def test_a_stopped_unit_has_no_process() -> None:
    text = (
        "---- unit\nLoadState=loaded\nActiveState=inactive\nUnitFileState=enabled\n"
        "---- arguments\n---- java\nsh: 1: /proc/0/exe: not found\n"
    )
    found = parse_service(text)
    assert (found.java, found.heap_mb) == ("", None)


@pytest.mark.parametrize(
    ("arguments", "megabytes"),
    [("-Xmx2g", 2048), ("-Xmx524288k", 512), ("-Xmx1073741824", 1024), ("-Xms1g", None)],
)
def test_heaps_in_every_unit(arguments: str, megabytes: int | None) -> None:
    assert parse_service(f"---- arguments\njava\n{arguments}\n").heap_mb == megabytes


@pytest.mark.parametrize(
    ("text", "status", "document"),
    [
        ('{"status":"UP"}\n\n200\n', 200, {"status": "UP"}),
        ("<html>\n502\n", 502, {}),
        ("[1]\n200\n", 200, {}),
        ("\n000\n", 0, {}),
        ("", 0, {}),
    ],
)
def test_answers_become_records(text: str, status: int, document: dict[str, str]) -> None:
    found = parse_health(text, " curl: x ")
    assert (found.status, found.document, found.error) == (status, document, "curl: x")


def test_a_backend_that_stalls_is_not_healthy() -> None:
    assert judge_health(replace(healthy(), seconds=2.9), PATH).verdict is Verdict.PASS
    judged = judge_health(replace(healthy(), seconds=4.06), PATH)
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "slow: the response took 4.1 s")


def test_an_answer_that_wants_no_work_comes_at_once() -> None:
    assert judge_pace(0.9).verdict is Verdict.PASS
    judged = judge_pace(parse_seconds("0.002\n2.604\n2,603\n"))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "slow: the response took 2.6 s")


def test_the_time_of_an_answer_stands_behind_its_status() -> None:
    found = parse_health('{"status": "UP"}\n200 0.125', "")
    assert (found.status, found.seconds) == (200, 0.125)


def test_a_version_that_is_no_text_is_shown() -> None:
    judgement = judge_health(healthy(version=3), PATH)
    assert (judgement.verdict, judgement.observed) == (Verdict.PASS, "evaluation 3")
