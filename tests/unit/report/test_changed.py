"""What changed, as people read it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone

from tests.unit.findings.test_changes import finding
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.findings.changes import EarlierFinding, compare
from ucontact_appliance.findings.translated import translated_changes
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.report.changed import body_text, folded, message, subject_line

SINCE = datetime(2026, 11, 22, 3, 30, tzinfo=timezone.utc)
BROKEN = replace(finding("web.service", Verdict.FAIL), observed="inactive", title=_("NGINX runs"))
BEHIND = [
    finding(f"web.{name}", Verdict.SKIP, blocked_by="web.service") for name in ("page", "wss")
]
EARLIER = [
    EarlierFinding(name, "one", "title", "pass")
    for name in ("web.service", "web.page", "web.wss", "a.b")
]
CHANGES = compare(EARLIER, [BROKEN, *BEHIND, finding("a.b")], SINCE)
FINDINGS = [BROKEN, *BEHIND, finding("a.b")]


def test_symptoms_are_a_number_behind_their_cause() -> None:
    told, heaps = folded(CHANGES)
    assert [change.id for change in told] == ["web.service"]
    assert heaps == ["2 checks blocked by web.service: not judged"]


def test_when_the_cause_is_mended_its_symptoms_are_a_number_too() -> None:
    earlier = [
        EarlierFinding("web.service", "one", "t", "fail"),
        EarlierFinding("web.page", "one", "t", "blocked"),
    ]
    told, heaps = folded(compare(earlier, [finding("web.service"), finding("web.page")], SINCE))
    assert [(change.id, change.kind.value) for change in told] == [("web.service", "better")]
    assert heaps == ["1 check: no longer blocked"]


def test_what_is_still_wrong_behind_a_mended_cause_is_told_by_itself() -> None:
    earlier = [EarlierFinding("web.page", "one", "t", "blocked")]
    told, heaps = folded(compare(earlier, [finding("web.page", Verdict.FAIL)], SINCE))
    assert ([change.id for change in told], heaps) == (["web.page"], [])


def test_the_mail() -> None:
    assert subject_line("acme", CHANGES, FINDINGS) == "uContact acme: FAIL, 1 worse"
    assert body_text("acme", CHANGES, FINDINGS) == (
        "acme: changed since 2026-11-22 03:30 UTC:\n\n"
        "worse: web.service on one (pass -> fail)\n"
        "  NGINX runs\n"
        "  observed: inactive\n"
        "  remedy:   mend\n\n"
        "2 checks blocked by web.service: not judged\n\n"
        "total: 1 pass, 1 fail, 2 blocked\n"
    )


def test_the_first_night_says_how_it_is() -> None:
    first = compare((), [finding("a.b")])
    assert subject_line("acme", first, [finding("a.b")]) == "uContact acme: PASS, current state"
    assert "no earlier run to compare with" in body_text("acme", first, [finding("a.b")])


def test_the_webhooks_message_is_json() -> None:
    document = json.loads(json.dumps(message("acme", SINCE, CHANGES, FINDINGS)))
    assert document["verdict"] == "fail"
    assert document["counts"]["blocked"] == 2
    assert document["changes"]["rows"][0]["id"] == "web.service"
    assert document["text"].startswith("uContact acme: FAIL, 1 worse\n\nacme: changed since")


def test_the_mail_in_spanish_keeps_its_commands() -> None:
    translate = translation(Language.ES)
    broken = replace(
        BROKEN,
        observed=_("not enabled"),
        remedy=with_note("nginx -t", _("look for crash recovery or a slow disk")),
    )
    changes = compare(EARLIER, [broken, *BEHIND, finding("a.b"), finding("c.d")], SINCE)
    findings = [broken, *BEHIND, finding("a.b")]
    assert translate(subject_line("acme", changes, findings)) == "uContact acme: FALLA, 1 peor"
    assert body_text("acme", translated_changes(changes, translate), findings, translate) == (
        "acme: cambió desde 2026-11-22 03:30 UTC:\n\n"
        "peor: web.service en one (bien -> falla)\n"
        "  NGINX está en marcha\n"
        "  observado: no habilitado\n"
        "  remedio:   nginx -t  # busque una recuperación tras una caída, o un disco lento\n\n"
        "2 controles bloqueados por web.service: sin evaluar\n"
        "1 control: por primera vez, sin problemas\n\n"
        "total: 1 bien, 1 falla, 2 bloqueados\n"
    )
