"""The check that hardphones get their configuration from the portal (R13)."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.checks.sip import spread
from ucontact_appliance.checks.tls_services import roots_file
from ucontact_appliance.facts.provisioning import PhoneAnswers, phone_answers
from ucontact_appliance.language.messages import Message, _, joined
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.secrets import phone_secret

_LIMITED = 429


def judge_provisioning(answers: Sequence[PhoneAnswers]) -> Judgement:
    """Require 401 without a login and with another phone's, 200 and its file with its own."""
    required = _("401 without a login, 200 with the phone's own, 401 with another phone's")
    evidence = "\n".join(
        f"{one.url}: {one.anonymous} without a login, {one.own} with its own, "
        f"{one.foreign} with it at another phone's path"
        for one in answers
    )
    if any(_LIMITED in (one.anonymous, one.own, one.foreign) for one in answers):
        return skipped(_("429, too many requests: retry in a minute"), required, evidence)
    wrong = [problem for one in answers if (problem := _problem(one))]
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    return passed(_("phones checked: {count}", count=len(answers)), required, evidence)


def _problem(one: PhoneAnswers) -> Message | None:
    if one.anonymous != 401:
        return _("{mac}: {status} without a login", mac=one.mac, status=one.anonymous)
    if one.own != 200:
        return _("{mac}: {status} with its own login", mac=one.mac, status=one.own)
    if not one.own_content:
        return _("{mac}: the file has another password", mac=one.mac)
    if one.foreign != 401:
        return _(
            "{mac}: {status} at another phone's path with its login",
            mac=one.mac,
            status=one.foreign,
        )
    return None


@check(
    id="web.provisioning",
    title=_("Each hardphone can fetch its own configuration, and no other"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tls.https.trust", "tls.https.name"),
    timeout=30,
)
def _provisioning(subject: Subject) -> Judgement:
    phones = subject.site.telephony.phones
    if not phones:
        return skipped(_("the site has no hardphones"))
    sampled = set(spread([phone.mac for phone in phones]))
    known = tuple(
        (phone.mac, phone.file_name, subject.secrets[phone_secret(phone.mac)])
        for phone in phones
        if phone.mac in sampled
    )
    return judge_provisioning(subject.facts.get(phone_answers, known, roots_file(subject)))


CHECKS = checks_of(globals())
