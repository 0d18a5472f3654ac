"""The steps of an upgrade around the phases of the installation, as events for the screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.install.events import (
    Event,
    PhaseFailed,
    PhaseFinished,
    PhaseStarted,
    TaskStarted,
)
from ucontact_appliance.install.job import Job


@contextmanager
def step(job: Job, name: str, title: str, number: int = 1, total: int = 1) -> Iterator[Job]:
    """Yield the job with an observer for the tasks of a step, which is reported like a phase."""

    def observer(event: Event) -> None:
        job.observer(replace(event, phase=name) if isinstance(event, TaskStarted) else event)

    begin = time.monotonic()
    job.observer(PhaseStarted(name, title, number, total))
    job.log(f"step {name}")
    try:
        yield replace(job, observer=observer)
    except (ApplianceError, OSError):
        job.observer(PhaseFailed(name, title, time.monotonic() - begin))
        raise
    job.observer(PhaseFinished(name, title, 0, time.monotonic() - begin))
