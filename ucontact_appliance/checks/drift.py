"""Whether somebody changed by hand what an installation wrote."""

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
from ucontact_appliance.facts.managed import fingerprints, managed_paths, written


def judge_drift(now: Mapping[str, str], then: Mapping[str, str]) -> Judgement:
    """Each file's content, mode and owner are those that the newest installation left."""
    required = "files as the newest installation wrote them"
    if not then:
        return skipped("this machine has no record of what it wrote; the next install makes one")
    changed = [path for path, was in then.items() if now.get(path, was) != was]
    gone = [path for path in then if path not in now]
    evidence = "\n".join(
        f"{path}\n  written {was}\n  found   {now.get(path, 'nothing')}"
        for path, was in then.items()
        if now.get(path) != was
    )
    told = [f"{', '.join(changed)} changed"] if changed else []
    told += [f"{', '.join(gone)} deleted"] if gone else []
    if told:
        return failed("; ".join(told), required, evidence)
    return passed(f"{len(then)} files as written", required)


@check(
    id="files.drift",
    title="Managed files are as they were written",
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy="{install}  # overwrites them: what is to stay belongs into a file of its own",
)
def _drift(subject: Subject) -> Judgement:
    then = subject.facts.here(written, str(subject.state.managed), subject.host.name)
    paths = managed_paths(subject.plan.host(subject.host.name))
    return judge_drift(subject.facts.get(fingerprints, paths), then)


CHECKS = checks_of(globals())
