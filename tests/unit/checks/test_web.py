import re
from collections import Counter
from typing import Any

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.checks import nginx, web, web_headers, wss
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.clients.http import HttpRequest, Response
from ucontact_appliance.clients.wss import Upgrade
from ucontact_appliance.facts.web import HeaderLine, Nginx
from ucontact_appliance.resources import load_data

NAME = "contact.example.com"
VALUES = web_headers.header_values(small_site())


def answer(
    status: int = 200,
    path: str = "/uContact/",
    body: str = "",
    protocol: str = "HTTP/2",
    scheme: str = "https",
    **headers: str,
) -> Response:
    request = HttpRequest("192.0.2.10", NAME, path, scheme)
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(request, status, protocol, named, body)


def well(**changes: Any) -> Nginx:
    values: dict[str, Any] = {
        "active": "active",
        "enabled": "enabled",
        "version": "1.18.0",
        "problem": "",
        "unloaded": (),
        "evidence": "",
    }
    return Nginx(**(values | changes))


@pytest.mark.parametrize(
    ("judge", "changes", "verdict"),
    [
        (nginx.judge_service, {}, Verdict.PASS),
        (nginx.judge_service, {"active": "inactive"}, Verdict.FAIL),
        (nginx.judge_service, {"enabled": "disabled"}, Verdict.FAIL),
        (nginx.judge_service, {"version": ""}, Verdict.FAIL),
        (nginx.judge_service, {"active": "inactive", "enabled": "masked"}, Verdict.FAIL),
        (nginx.judge_version, {}, Verdict.PASS),
        (nginx.judge_version, {"version": "1.17.0"}, Verdict.PASS),
        (nginx.judge_version, {"version": "1.16.9"}, Verdict.FAIL),
        (nginx.judge_version, {"version": "1.9.99"}, Verdict.FAIL),
        (nginx.judge_config, {}, Verdict.PASS),
        (nginx.judge_config, {"problem": "[emerg] oh"}, Verdict.FAIL),
        (nginx.judge_loaded, {}, Verdict.PASS),
        (nginx.judge_loaded, {"unloaded": ("/etc/nginx/nginx.conf",)}, Verdict.FAIL),
        (nginx.judge_loaded, {"unloaded": None}, Verdict.WARN),
    ],
)
def test_the_service(judge: Any, changes: dict[str, Any], verdict: Verdict) -> None:
    judged: Judgement = judge(well(**changes))
    assert judged.verdict is verdict


def test_a_masked_unit_is_unmasked_by_the_remedy() -> None:
    judged = nginx.judge_service(well(active="inactive", enabled="masked"))
    assert judged.remedy.startswith("{ssh} systemctl unmask nginx.service && ")


@pytest.mark.parametrize(
    ("status", "where", "verdict"),
    [
        (301, f"https://{NAME}/x", Verdict.PASS),
        (302, f"https://{NAME}/x", Verdict.FAIL),
        (301, f"http://{NAME}/x", Verdict.FAIL),
        (301, "https://elsewhere.example/x", Verdict.FAIL),
        (200, "", Verdict.FAIL),
    ],
)
def test_redirect(status: int, where: str, verdict: Verdict) -> None:
    headers = {"location": where} if where else {}
    found = answer(status, "/x", scheme="http", **headers)
    assert nginx.judge_redirect(found).verdict is verdict


def test_http2() -> None:
    assert nginx.judge_http2(answer()).verdict is Verdict.PASS
    assert nginx.judge_http2(answer(protocol="HTTP/1.1")).verdict is Verdict.FAIL


ROW = {"id": "x", "name": "X-Thing", "value": "{wss_port} at {host}", "status": "effective"}


def judged_header(row: dict[str, Any], *found: Response) -> Judgement:
    return web_headers.judge_header(
        row, found, lambda a: web_headers.expected_value(row, a, VALUES)
    )


def test_a_header_is_wanted_once_and_with_its_value_on_every_status() -> None:
    good = {"x_thing": f"8089 at {NAME}"}
    assert judged_header(ROW, answer(**good), answer(404, **good)).verdict is Verdict.PASS
    missing = judged_header(ROW, answer(**good), answer(404))
    assert missing.verdict is Verdict.FAIL
    assert missing.observed == "X-Thing missing (on 404)"
    wrong = judged_header(ROW, answer(x_thing="none"))
    assert "is 'none'" in wrong.observed
    request = HttpRequest("192.0.2.10", NAME, "/")
    twice = Response(request, 200, "HTTP/2", (("X-Thing", f"8089 at {NAME}"),) * 2, "")
    assert "sent 2 times" in judged_header(ROW, twice).observed


def test_a_header_of_https_must_not_be_sent_over_http() -> None:
    row = ROW | {"scheme": "https", "value": "a"}
    plain = answer(301, scheme="http")
    assert judged_header(row, answer(x_thing="a"), plain).verdict is Verdict.PASS
    sent = answer(301, scheme="http", x_thing="a")
    assert judged_header(row, answer(x_thing="a"), sent).verdict is Verdict.FAIL


def test_values_by_path_and_on_errors() -> None:
    cache = next(row for row in load_data("headers")["headers"] if row["id"] == "cache")
    expected = {
        ("/uContact/", 200): "no-cache",
        ("/uContact/app.1a2b3c4d.js", 200): "public, max-age=31536000, immutable",
        ("/uContact/app-1a2b3c4d5e.css", 200): "public, max-age=31536000, immutable",
        ("/uContact/app.js", 200): "no-cache",
        ("/uContact/config.json", 200): "no-store",
        ("/Integra/resources/health", 200): "no-store",
        ("/tmp/report.pdf", 200): "no-store",
        ("/uContact/app.1a2b3c4d.js", 404): "no-store",
    }
    found = {
        (path, status): web_headers.expected_value(cache, answer(status, path), VALUES)
        for path, status in expected
    }
    assert found == expected


def pinned(*pins: str, age: int = 2592000) -> str:
    return "; ".join([*(f'pin-sha256="{pin}"' for pin in pins), f"max-age={age}"])


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ((pinned("A=", "B="),), ""),
        ((pinned("B=", "A=", age=5184000),), ""),
        ((), "missing"),
        ((pinned("A=", "B="), pinned("A=", "B=")), "sent 2 times"),
        ((pinned("X=", "B="),), "does not pin the key that is served"),
        ((pinned("A="),), "has no backup pin"),
        ((pinned("A=", "C="),), "does not pin the backup key"),
        ((pinned("A=", "B=", age=2505600),), "is valid for 29 days"),
        ((pinned("A=", "B=", age=5270400),), "is valid for 61 days"),
        (('pin-sha256="A="; pin-sha256="B="',), "is valid for 0 days"),
    ],
)
def test_pins(found: tuple[str, ...], problem: str) -> None:
    told = web_headers.pins_differ(found, "A=", "B=")
    assert told.startswith(problem)
    assert bool(told) == bool(problem)


def test_pins_without_the_backup_key_at_hand() -> None:
    assert web_headers.pins_differ((pinned("A=", "C="),), "A=", None) == ""


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ((HeaderLine("A", ()), HeaderLine("B", ("http",))), Verdict.PASS),
        ((HeaderLine("A", ()), HeaderLine("B", ("http", "server"))), Verdict.FAIL),
        ((HeaderLine("A", ()), HeaderLine("B", ("server", "location /x"))), Verdict.FAIL),
        ((), Verdict.FAIL),
    ],
)
def test_inherited(lines: tuple[HeaderLine, ...], verdict: Verdict) -> None:
    assert web_headers.judge_inherited(lines).verdict is verdict


def test_folders() -> None:
    served = (answer(200), answer(403, "/forms/"))
    assert web.judge_folders(served).verdict is Verdict.PASS
    judged = web.judge_folders((*served, answer(404, "/tmp/")))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "/tmp/ (404)")


@pytest.mark.parametrize(
    ("page", "config", "verdict"),
    [
        (200, '{"fqdn": "contact.example.com", "wssPort": 8089}', Verdict.PASS),
        (200, '{"fqdn": "other.example.com"}', Verdict.FAIL),
        (200, "<html>", Verdict.FAIL),
        (200, "[]", Verdict.FAIL),
        (403, '{"fqdn": "contact.example.com"}', Verdict.FAIL),
    ],
)
def test_portal(page: int, config: str, verdict: Verdict) -> None:
    shown = answer(page, content_type="text/html; charset=utf-8")
    assert web.judge_portal(shown, answer(body=config), NAME).verdict is verdict


def test_private() -> None:
    assert web.judge_private((answer(404), answer(403))).verdict is Verdict.PASS
    assert web.judge_private((answer(404), answer(200, "/x.war"))).verdict is Verdict.FAIL


def test_names() -> None:
    assert web.judge_names((answer(421), answer(421, scheme="http"))).verdict is Verdict.PASS
    judged = web.judge_names((answer(421), answer(301, scheme="http")))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "301 over http")


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, '{"status": "UP"}', Verdict.PASS),
        (503, '{"status": "DOWN"}', Verdict.PASS),
        (502, '{"error": "unavailable"}', Verdict.FAIL),
        (200, "<html>", Verdict.FAIL),
        (404, "", Verdict.FAIL),
    ],
)
def test_rest(status: int, body: str, verdict: Verdict) -> None:
    assert web.judge_rest(answer(status, body=body)).verdict is verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(401, Verdict.PASS), (429, Verdict.SKIP), (200, Verdict.FAIL), (502, Verdict.FAIL)],
)
def test_login(status: int, verdict: Verdict) -> None:
    assert web.judge_login(answer(status)).verdict is verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Upgrade("wss://x/ws", 101, "sip"), Verdict.PASS),
        (Upgrade("wss://x/ws", 101, ""), Verdict.FAIL),
        (Upgrade("wss://x/ws", 502, ""), Verdict.FAIL),
    ],
)
def test_upgrade(found: Upgrade, verdict: Verdict) -> None:
    assert wss.judge_upgrade(found).verdict is verdict


# The table itself.

TABLE = load_data("headers")["headers"]


def test_header_rows_are_unique_and_complete() -> None:
    for key in ("id", "name"):
        assert max(Counter(row[key] for row in TABLE).values()) == 1
    for row in TABLE:
        assert row["status"] in ("effective", "retired")
        assert row["for"]
        # The role's template makes one map of a row: by scheme or by path.
        assert not (row.get("scheme") and row.get("variants"))
        for variant in row.get("variants", ()):
            re.compile(variant["path"])


def test_header_rows_have_no_unknown_placeholder() -> None:
    known = {*VALUES, "pin_served", "pin_backup", "host"}
    texts = [row["value"] for row in TABLE]
    texts += [variant["value"] for row in TABLE for variant in row.get("variants", ())]
    assert {name for text in texts for name in re.findall(r"\{(\w+)\}", text)} <= known


def test_the_retired_controls_are_told_as_such() -> None:
    assert {row["requirement"] for row in TABLE if row["status"] == "retired"} == {"R10", "R11"}


def test_the_policy_allows_nothing_inline_in_pages() -> None:
    policy = next(row["value"] for row in TABLE if row["id"] == "csp")
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy


OURS = frozenset({"/etc/nginx/nginx.conf", "/etc/nginx/conf.d/ucontact.conf"})


def test_another_server_beside_the_portal_is_told_and_one_in_its_place_fails() -> None:
    files = ("/etc/nginx/conf.d/ucontact.conf",)
    assert nginx.judge_sites(well(), files, OURS).verdict is Verdict.PASS
    files = ("/etc/nginx/conf.d/a b.conf", *files)
    judged = nginx.judge_sites(well(), files, OURS)
    assert (judged.verdict, "a b.conf" in judged.observed) == (Verdict.WARN, True)
    assert "mv '/etc/nginx/conf.d/a b.conf' /root/ucontact-foreign/" in judged.remedy
    judged = nginx.judge_sites(well(rivals=(NAME,)), files, OURS)
    assert (judged.verdict, NAME in judged.observed) == (Verdict.FAIL, True)
    assert nginx.judge_sites(well(problem="[emerg] oh"), files, OURS).verdict is Verdict.SKIP
