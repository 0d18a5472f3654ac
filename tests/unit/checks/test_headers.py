"""Header values by path, on REST answers, and headers that must not be there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.subjects import subjects
from tests.unit.checks.test_web import answer
from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.checks import headers, web_headers
from ucontact_appliance.checks.model import Verdict, failed, passed
from ucontact_appliance.clients.http import HttpRequest, Response
from ucontact_appliance.facts.web import parse_header_lines, parse_maps
from ucontact_appliance.resources import load_data

TABLE = load_data("headers")
CHECKS = {check.id: check for check in headers.CHECKS}


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (0, Verdict.FAIL),
        (1, Verdict.WARN),
        (15767999, Verdict.WARN),
        (15768000, Verdict.PASS),
        (63072000, Verdict.PASS),
    ],
)
def test_hsts_that_is_off_or_short(age: int, verdict: Verdict) -> None:
    (one,) = subjects(small_site(web={"hsts_max_age": age}))
    assert CHECKS["web.hsts_age"].judge(one).verdict is verdict
    assert CHECKS["web.hsts_age"].requirements == ("R09",)


@pytest.mark.parametrize("name", TABLE["removed"])
def test_a_header_of_the_programs_behind(name: str) -> None:
    told = answer(**{name.lower().replace("-", "_"): "a stand-in"})
    judged = headers.judge_removed([answer(), answer(404), told])
    assert judged.verdict is Verdict.FAIL
    assert judged.observed.lower() == f"{name}: a stand-in (on 200)".lower()


def test_answers_without_such_headers() -> None:
    assert headers.judge_removed([answer(), answer(404)]).verdict is Verdict.PASS


def by_path(text: str, **values: str) -> tuple[Verdict, str]:
    lines, maps = parse_header_lines(text), parse_maps(text)
    judged = headers.judge_paths(lines, maps, {**web_headers.header_values(small_site()), **values})
    return judged.verdict, judged.observed


CONFIGURATION = recorded("nginx_config-trixie")
COUNT = sum(len(row.get("variants", ())) for row in TABLE["headers"])


def test_what_the_role_writes_has_every_path() -> None:
    assert by_path(CONFIGURATION) == (Verdict.PASS, f"{COUNT} paths")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("    '~^/(tmp|images)/' \"sandbox", "    '~^/(tmp)/' \"sandbox", ""),
        (
            "\"sandbox; default-src 'none'; img-src",
            "\"sandbox; default-src 'self'; img-src",
            "is \"sandbox; default-src 'self'",
        ),
        ("'cross-origin'", "'same-origin'", "Resource-Policy of ^/webchatclient/ is 'same-origin'"),
        ("map $uri $header_cache", "map $request_uri $header_cache", "'same as elsewhere'"),
        (
            "    '~^/(Integra|_recordings|tmp|provision)/' 'no-store';",
            "    '~^/Integra/x' 'public';\n"
            "    '~^/(Integra|_recordings|tmp|provision)/' 'no-store';",
            "Cache-Control has other paths",
        ),
    ],
)
def test_a_path_with_another_value(before: str, after: str, said: str) -> None:
    assert before in CONFIGURATION
    verdict, observed = by_path(CONFIGURATION.replace(before, after))
    assert verdict is Verdict.FAIL
    assert said in observed


def test_uploads_without_a_policy_of_their_own() -> None:
    text = CONFIGURATION.replace("'~^/(tmp|images)/'", "'~^/elsewhere/'")
    verdict, observed = by_path(text)
    assert verdict is Verdict.FAIL
    assert observed.startswith("Content-Security-Policy of ^/(tmp|images)/ is 'same as elsewhere'")


def test_a_map_is_read_as_it_stands() -> None:
    text = "map $uri $a { default 'x'; '~^/y{2,}$' \"it's\"; }\nmap $https $b { on z; }"
    assert parse_maps(text) == {"$a": (("default", "x"), ("~^/y{2,}$", "it's"))}


GOOD = passed("sent", evidence="X: sent")


@pytest.mark.parametrize(
    ("judgements", "removed", "verdict", "observed"),
    [
        ([GOOD, GOOD], GOOD, Verdict.PASS, "2 headers, same as on pages"),
        ([GOOD, failed("Y missing (on 200)")], GOOD, Verdict.FAIL, "Y missing (on 200)"),
        ([failed("Y"), failed("Z")], GOOD, Verdict.FAIL, "Y and 1 more"),
        ([GOOD], failed("X-Powered-By: a"), Verdict.FAIL, "X-Powered-By: a"),
    ],
)
def test_all_headers_on_one_answer(
    judgements: list[Any], removed: Any, verdict: Verdict, observed: str
) -> None:
    judged = headers.judge_all([(str(n), one) for n, one in enumerate(judgements)], removed)
    assert (judged.verdict, judged.observed) == (verdict, observed)


def test_the_samples_include_paths_with_values_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def page(reach: object, path: str, *rest: str) -> Response:
        return replace(answer(), request=HttpRequest("192.0.2.10", "x", path))

    monkeypatch.setattr(web_headers.facts, "page", page)
    (one,) = subjects()
    asked = {told.request.path for told in web_headers.sampled(one)}
    assert {"/webchatclient/", "/uContact/config.json"} <= asked
    corp = next(row for row in TABLE["headers"] if row["id"] == "corp")
    same = "same-origin"
    told = tuple(replace(a, headers=((corp["name"], same),)) for a in web_headers.sampled(one))
    assert web_headers.judge_row(one, corp, told).verdict is Verdict.FAIL
