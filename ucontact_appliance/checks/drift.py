"""Check that nobody changed by hand the files that an installation wrote."""

from __future__ import annotations

from collections.abc import Mapping

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
from ucontact_appliance.facts.managed import fingerprints, written
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.component_tables import managed_paths


def judge_drift(now: Mapping[str, str], then: Mapping[str, str]) -> Judgement:
    """Require each file's content, mode and owner as the newest installation left them."""
    required = _("files unchanged since the last installation")
    if not then:
        return skipped(
            _("this machine has no record of the files it wrote; the next installation creates one")
        )
    changed = [path for path, was in then.items() if now.get(path, was) != was]
    gone = [path for path in then if path not in now]
    evidence = "\n".join(
        f"{path}\n  written {was}\n  found   {now.get(path, 'nothing')}"
        for path, was in then.items()
        if now.get(path) != was
    )
    told = [_("{changed} changed", changed=joined(", ", changed))] if changed else []
    told += [_("{gone} deleted", gone=joined(", ", gone))] if gone else []
    if told:
        return failed(joined("; ", told), required, evidence)
    return passed(_("{count} files unchanged", count=len(then)), required)


@check(
    id="files.drift",
    title=_("Managed files are unchanged"),
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy=with_note("{install}", _("overwrites them: keep your own settings in separate files")),
)
def _drift(subject: Subject) -> Judgement:
    then = subject.facts.here(written, str(subject.state.managed), subject.host.name)
    paths = managed_paths(subject.plan.host(subject.host.name))
    return judge_drift(subject.facts.get(fingerprints, paths), then)


CHECKS = checks_of(globals())
