"""The path of the backend's health resource, which only the installed release's manifest names."""

from __future__ import annotations

from collections.abc import Callable

from ucontact_appliance.checks.model import Judgement, Subject, skipped
from ucontact_appliance.language.messages import _
from ucontact_appliance.release.remembered import remembered_manifest


def by_health(judge: Callable[[Subject, str], Judgement]) -> Callable[[Subject], Judgement]:
    """Pass the health resource's path to the judge; skip if no manifest names one."""

    def judged(subject: Subject) -> Judgement:
        manifest = subject.facts.here(remembered_manifest, subject.state)
        path = manifest.health if manifest else None
        if path is None:
            return skipped(
                _("the manifest of {title} names no health resource", title=manifest.title)
                if manifest
                else _("this machine has no record of the release, which names its health resource")
            )
        return judge(subject, path)

    return judged
