"""Where the backend's health resource is: the installed release says so, no other knows."""

from __future__ import annotations

from collections.abc import Callable

from ucontact_appliance.checks.model import Judgement, Subject, skipped
from ucontact_appliance.release.remembered import remembered_manifest
from ucontact_appliance.state import StatePaths


def health_path(state: StatePaths) -> str | None:
    """The path of the installed release's health resource; None where none is known."""
    manifest = remembered_manifest(state)
    return manifest.health if manifest else None


def by_health(judge: Callable[[Subject, str], Judgement]) -> Callable[[Subject], Judgement]:
    """The judge with that path; what no release names can't be looked at."""

    def judged(subject: Subject) -> Judgement:
        path = health_path(subject.state)
        if path is None:
            manifest = remembered_manifest(subject.state)
            return skipped(
                f"the manifest of {manifest.title} names no health resource"
                if manifest
                else "this machine has no record of the release, which names its health resource"
            )
        return judge(subject, path)

    return judged
