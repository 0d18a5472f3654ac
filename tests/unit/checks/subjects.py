"""Subjects and checks that tests are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Check, Judgement, Severity, Stage, Subject, passed
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

Answer = Callable[[Sequence[str]], Completed]


class FakeRunner:
    """A host that answers from a function."""

    def __init__(self, answer: Answer | None = None) -> None:
        self._answer = answer or (lambda argv: Completed(tuple(argv), 0, "", "", 0.0))

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = 0,
    ) -> Completed:
        return self._answer(argv)

    def forward(self, port: int) -> AbstractContextManager[int]:
        raise NotImplementedError


def subjects(site: Site | None = None, answer: Answer | None = None) -> tuple[Subject, ...]:
    """A subject for each host of the site."""
    site = site or small_site()
    plan = make_plan(site, {})
    state = StatePaths(Path("/nonexistent/etc"), Path("/nonexistent/var"))
    return tuple(
        Subject(
            site,
            plan,
            host,
            Secrets({}),
            state,
            FactSource(ProbeContext(site, host, FakeRunner(answer))),
        )
        for host in site.hosts
    )


def big_site() -> Site:
    return small_site(
        agents=600,
        hosts=[
            {"name": "tel", "address": "192.0.2.1"},
            {"name": "app", "address": "192.0.2.2"},
            {"name": "db", "address": "192.0.2.3"},
        ],
    )


def check(
    check_id: str,
    judge: Callable[[Subject], Judgement] = lambda subject: passed("good"),
    *needs: str,
    role: Role | None = None,
    stages: frozenset[Stage] = frozenset({Stage.DOCTOR}),
    timeout: float = 5.0,
    remedy: str = "{install}",
) -> Check:
    return Check(
        id=check_id,
        title=check_id,
        severity=Severity.HIGH,
        requirements=("R01",),
        remedy=remedy,
        judge=judge,
        role=role,
        stages=stages,
        needs=needs,
        timeout=timeout,
    )
