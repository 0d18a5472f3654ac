"""Whose writing is stopped while schemas change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.install.jobs import job_of
from tests.unit.release.samples import FILES, manifest_of
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.release.manifest import Migration
from ucontact_appliance.upgrading import schemas
from ucontact_appliance.upgrading.changes import UpgradeChanges
from ucontact_appliance.upgrading.drain import Refusal
from ucontact_appliance.upgrading.run import UpgradeOrder, _phases
from ucontact_appliance.upgrading.schemas import MigratePhase, writers_of


def test_only_the_backend_writes_to_the_portals_database() -> None:
    assert writers_of(("ccrepo",)) == ("integraserver.service",)
    assert "asterisk.service" in writers_of(("ccdata", "ccrepo"))


@pytest.mark.parametrize("database", ["ccrepo", "ccdata"])
def test_schemas_change_right_before_the_backend(database: str) -> None:
    row = Migration.model_validate({"version": "1", "file": "server/a.sql", "database": database})
    manifest = manifest_of({**FILES, "server/a.sql": b"do 0;"}, migrations=(row,))
    changes = UpgradeChanges(manifest, manifest, (), (), (row,))
    ids = [phase.id for phase in _phases(changes, UpgradeOrder(), Refusal(), "point")]
    assert ids[ids.index("migrate") + 1] == "backend"
    # Asterisk writes call records: its calls end first.
    assert ("drain" in ids) is (database == "ccdata")
    assert ids[-1] == "verify"


def phase_on(monkeypatch: pytest.MonkeyPatch, dump: int) -> tuple[MigratePhase, list[str]]:
    done: list[str] = []

    def answer(argv: Sequence[str]) -> Completed:
        if argv[0] == "systemctl":
            done.append(" ".join(argv[1:]))
            return Completed(tuple(argv), 0, "", "", 0.0)
        name = "dump" if "mysqldump" in argv[2] else "stop"
        done.append(name)
        said = "integraserver.service\nasterisk.service\n"
        return Completed(tuple(argv), dump if name == "dump" else 0, said, "", 0.0)

    @contextmanager
    def runner_for(*words: object) -> Iterator[FakeRunner]:
        yield FakeRunner(answer)

    def migrate(job: object) -> int:
        done.append("migrate")
        return 2

    monkeypatch.setattr(schemas, "runner_for", runner_for)
    monkeypatch.setattr(schemas, "migrate", migrate)
    return MigratePhase("point", ("ccdata",), ()), done


def test_the_dump_comes_before_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    phase, done = phase_on(monkeypatch, 0)
    assert phase.run(job_of(lambda event: None)) == 2
    # The backend is started by its own phase, with the new release.
    assert done == ["stop", "dump", "migrate", "start asterisk.service"]


def test_without_a_dump_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    phase, done = phase_on(monkeypatch, 1)
    with pytest.raises(PhaseFailedError):
        phase.run(job_of(lambda event: None))
    assert done == ["stop", "dump"]
