"""STUN servers that are named and asked, and ways between codecs."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.subjects import FakeRunner, big_site, subjects
from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.checks import media
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.clients.http import HttpRequest, Response
from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.media import Transcoding, parse_stun, parse_transcoding, transcoding
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import NetworkProfile

LAN, NAT, PUBLIC = NetworkProfile.LAN, NetworkProfile.NAT, NetworkProfile.PUBLIC
OURS = "192.0.2.10:3478"


def config(body: Any, status: int = 200) -> Response:
    request = HttpRequest("192.0.2.10", "contact.example.com", "/uContact/config.json")
    text = body if isinstance(body, str) else json.dumps(body)
    return Response(request, status, "HTTP/2", (), text)


def ice(*urls: Any) -> dict[str, Any]:
    return {"iceServers": [{"urls": url} for url in urls]}


@pytest.mark.parametrize(
    ("body", "verdict", "words"),
    [
        (ice("stun:192.0.2.10:3478"), Verdict.PASS, "192.0.2.10 port 3478"),
        (ice("stun:192.0.2.10"), Verdict.PASS, "192.0.2.10 port 3478"),
        (ice(["turn:192.0.2.10:3478?transport=udp", "stun:192.0.2.10"]), Verdict.PASS, ""),
        (ice("stun:192.0.2.10", "stun:stun.example.org:19302"), Verdict.WARN, "stun.example.org"),
        (ice("stun:stun.example.org:19302"), Verdict.FAIL, "names stun.example.org port 19302"),
        (ice("stun:192.0.2.10:3479"), Verdict.FAIL, "192.0.2.10 port 3479"),
        (ice("turn:192.0.2.10"), Verdict.FAIL, "names no STUN server"),
        ({"iceServers": []}, Verdict.FAIL, "names no STUN server"),
        ({"iceServers": ["stun:192.0.2.10"]}, Verdict.FAIL, "names no STUN server"),
        ({"fqdn": "x"}, Verdict.FAIL, "200, without iceServers"),
        ([], Verdict.FAIL, "without iceServers"),
        ("<html>", Verdict.FAIL, "without iceServers"),
    ],
)
def test_what_softphones_are_told(body: Any, verdict: Verdict, words: str) -> None:
    judged = media.judge_ice(config(body), "192.0.2.10", 3478)
    assert judged.verdict is verdict
    assert words in judged.observed


def test_a_configuration_that_is_not_served() -> None:
    judged = media.judge_ice(config(ice("stun:192.0.2.10"), 404), "192.0.2.10", 3478)
    assert (judged.verdict, judged.observed.partition(": ")[2]) == (
        Verdict.FAIL,
        "404, without iceServers",
    )


def test_addresses_of_the_new_kind_are_compared_by_what_they_mean() -> None:
    told = config(ice("stun:[2001:db8:0::1]:3478"))
    assert media.judge_ice(told, "2001:db8::1", 3478).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("profile", "found", "verdict", "words"),
    [
        (LAN, "", Verdict.PASS, "uses none"),
        (NAT, "", Verdict.PASS, "uses none"),
        (PUBLIC, "", Verdict.FAIL, "uses none"),
        (PUBLIC, OURS, Verdict.PASS, f"uses {OURS}"),
        (PUBLIC, "203.0.113.1:3478", Verdict.FAIL, "uses 203.0.113.1:3478"),
        (PUBLIC, "192.0.2.10:3479", Verdict.FAIL, "3479"),
        (LAN, OURS, Verdict.PASS, f"uses {OURS}"),
        (LAN, "203.0.113.1:3478", Verdict.WARN, "not the site's"),
        (NAT, "203.0.113.1:3478", Verdict.WARN, "not the site's"),
        (LAN, None, Verdict.SKIP, "does not show"),
        (PUBLIC, None, Verdict.SKIP, "does not show"),
    ],
)
def test_whom_asterisk_asks(
    profile: NetworkProfile, found: str | None, verdict: Verdict, words: str
) -> None:
    judged = media.judge_stun(found, profile, OURS, "")
    assert judged.verdict is verdict
    assert words in judged.observed
    assert judged.required.startswith(f"profile {profile.value}: ")


@pytest.mark.parametrize("suite", ["sid", "bullseye"])
def test_a_server_of_the_lan_asks_none(suite: str) -> None:
    assert parse_stun(sections(recorded(f"asterisk_snapshot-{suite}"))["rtp"]) == ""


@pytest.mark.parametrize(
    ("text", "stun"),
    [
        ("  ICE support: Yes\n  STUN address:    192.0.2.10:3478\n", OURS),
        ("  STUN:            enabled\n   Address:        192.0.2.10:3478\n", OURS),
        ("  STUN address:    [2001:db8::1]:3478\n", "[2001:db8::1]:3478"),
        ("  STUN address:    [::]:0\n", ""),
        ("  Strict RTP:      Yes\n", None),
        ("", None),
    ],
)
def test_the_stun_server_in_asterisks_words(text: str, stun: str | None) -> None:
    assert parse_stun(text) == stun


def test_the_checks_ask_for_the_telephony_hosts_address(monkeypatch: pytest.MonkeyPatch) -> None:
    site = big_site()
    subject = subjects(site)[1]
    told = config(ice("stun:192.0.2.1:3478"))
    monkeypatch.setattr(media, "page", lambda reach, path: told)
    check = next(check for check in media.CHECKS if check.id == "web.ice")
    assert check.judge(subject).verdict is Verdict.PASS
    network = {"profile": "nat", "public_address": "203.0.113.5"}
    behind = subjects(small_site(network=network))[0]
    assert check.judge(behind).verdict is Verdict.FAIL
    told = config(ice("stun:203.0.113.5"))
    fresh = replace(behind, facts=FactSource(behind.facts.reach))
    assert check.judge(fresh).verdict is Verdict.PASS


def test_asterisk_is_compared_with_the_telephony_hosts_own_address() -> None:
    network = {"profile": "public", "public_address": None}
    site = small_site(network=network)
    told = "---- rtp\n  STUN address:    192.0.2.10:3478\n"

    def answer(argv: object) -> Completed:
        return Completed((), 0, told, "", 0.0)

    subject = subjects(site, answer)[0]
    check = next(check for check in media.CHECKS if check.id == "asterisk.stun")
    assert check.judge(subject).verdict is Verdict.PASS
    elsewhere = replace(subject, plan=make_plan(site, {}).with_peers({"one": "192.0.2.77"}))
    assert check.judge(elsewhere).verdict is Verdict.FAIL


# As `core show translation paths` of Asterisk 13 to 22 lays it out.
def paths(source: str, *targets: str, lost: str = "") -> str:
    rate = {"opus": 48000, "slin": 16000}
    named = f"{source}:{rate.get(source, 8000)}"
    lines = [f'--- Translation paths SRC Codec "{source}" sample rate {rate.get(source, 8000)} ---']
    for target in targets:
        to = f"{target}:{rate.get(target, 8000)}"
        way = f"({named.replace(':', '@')})->(slin@8000)->({to.replace(':', '@')})"
        way = "No Translation Path" if target == lost else way
        lines.append(f"\t{named:<16} To {to:<16}: {way}")
    return "\n".join(lines)


CODECS = ("opus", "alaw", "ulaw", "gsm")


def answers(lost: tuple[str, str] = ("", "")) -> dict[str, str]:
    return {
        source: paths(
            source,
            *(other for other in (*CODECS, "slin", "codec2") if other != source),
            lost=lost[1] if source == lost[0] else "",
        )
        for source in CODECS
    }


def test_every_codec_becomes_every_other() -> None:
    found = parse_transcoding(answers(), CODECS)
    assert set(itertools.permutations(CODECS, 2)) <= found.ways
    judged = media.judge_transcoding(found)
    assert (judged.verdict, judged.observed) == (Verdict.PASS, "12 translation paths")
    assert "To gsm:8000" in judged.evidence
    assert "codec2" not in judged.evidence


@pytest.mark.parametrize("lost", list(itertools.permutations(CODECS, 2)), ids="-".join)
def test_a_way_that_is_lost_is_named(lost: tuple[str, str]) -> None:
    judged = media.judge_transcoding(parse_transcoding(answers(lost), CODECS))
    assert judged.verdict is Verdict.FAIL
    assert judged.observed == f"no translation path from {lost[0]} to {lost[1]}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        'Source codec "opus" is not found.',
        "Unable to connect to remote asterisk (does /var/run/asterisk/asterisk.ctl exist?)",
        "\topus:48000       To gsm:8000        : ",
        "\topus:48000       To gsm:8000        : (opus@48000)->(slin@48000)",
    ],
)
def test_what_is_no_way_is_not_taken_for_one(text: str) -> None:
    found = parse_transcoding({"opus": text}, CODECS)
    assert found.ways == frozenset()
    assert media.judge_transcoding(found).verdict is Verdict.FAIL


def test_an_older_asterisks_way_of_writing() -> None:
    text = "\talaw:8000        To gsm:8000       : alaw->slin->gsm"
    assert parse_transcoding({"alaw": text}, CODECS).ways == {("alaw", "gsm")}


def test_each_codec_is_asked_for() -> None:
    asked: list[str] = []

    def answer(argv: Any) -> Completed:
        asked.append(argv[-1])
        text = "\n".join(f"---- {name}\n{told}" for name, told in answers().items())
        return Completed(tuple(argv), 0, text, "", 0.0)

    (one,) = subjects()
    reach = ProbeContext(one.site, one.host, FakeRunner(answer))  # type: ignore[arg-type]
    assert isinstance(transcoding(reach, CODECS), Transcoding)
    for name in CODECS:
        assert f"core show translation paths {name}" in asked[0]
