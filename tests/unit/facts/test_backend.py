from __future__ import annotations

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks.backend import judge_health, judge_schemas
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.backend import BackendService, parse_health, parse_service


def test_the_service_of_a_real_host() -> None:
    assert parse_service(recorded("backend_service-sid")) == BackendService(
        loaded="loaded",
        active="active",
        enabled="enabled",
        result="success",
        since="Mon 2026-11-23 02:27:47 UTC",
        java="1.8.0_504",
        heap_mb=576,
    )


def test_the_health_of_a_real_host() -> None:
    found = parse_health(recorded("backend_health-sid"), "")
    assert found.status == 200
    assert judge_health(found, "/health").verdict is Verdict.PASS
    schemas = judge_schemas(found)
    assert (schemas.verdict, schemas.observed) == (Verdict.PASS, "both UP over TLSv1.3")
