"""What this machine keeps of a site for the way back."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.state import StatePaths
from ucontact_appliance.upgrading.points import (
    RestorePoint,
    drop_point,
    find_point,
    keep_state,
    load_points,
    new_id,
    release_key,
    restore_state,
)


def point(day: int) -> RestorePoint:
    created = datetime(2026, 11, day, 20, 45, tzinfo=timezone.utc)
    return RestorePoint(
        id=new_id(created),
        created=created,
        appliance="1",
        release=None,
        title="acme 5.1",
        goal="acme 5.2",
        hosts=("one",),
    )


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    made = StatePaths(tmp_path / "etc", tmp_path / "var")
    made.var.mkdir()
    for name in ("journal.json", "plan.json", "states.json"):
        (made.var / name).write_text(f"{name} before")
    return made


def test_records_come_back(paths: StatePaths) -> None:
    keep_state(paths, point(1))
    paths.journal.write_text("after")
    paths.states.unlink()
    (paths.var / "release.manifest.json").write_text("there was none")
    for _again in range(2):
        restore_state(paths, point(1))
        assert paths.journal.read_text() == "journal.json before"
        assert paths.states.read_text() == "states.json before"
        assert not (paths.var / "release.manifest.json").exists()
    assert (paths.restore_points / point(1).id).stat().st_mode & 0o777 == 0o700


def test_the_newest_point_is_found_unless_another_is_named(paths: StatePaths) -> None:
    with pytest.raises(UsageError, match="no restore point"):
        find_point(paths, None, Path("site.yml"))
    for day in (2, 3, 1):
        keep_state(paths, point(day))
    assert [one.created.day for one in load_points(paths)] == [3, 2, 1]
    assert find_point(paths, None, Path("site.yml")) == point(3)
    assert find_point(paths, point(1).id, Path("site.yml")) == point(1)
    with pytest.raises(UsageError) as caught:
        find_point(paths, "20260101T000000Z", Path("site.yml"))
    assert point(2).id in caught.value.evidence
    drop_point(paths, point(3).id)
    assert find_point(paths, None, Path("site.yml")) == point(2)


def test_an_incomplete_point_is_none(paths: StatePaths) -> None:
    (paths.restore_points / point(1).id).mkdir(parents=True)
    assert load_points(paths) == ()


def test_a_damaged_point_is_named(paths: StatePaths) -> None:
    keep_state(paths, point(1))
    (paths.restore_points / point(1).id / "point.json").write_text("{")
    with pytest.raises(UnreachableError, match="the restore point"):
        load_points(paths)


def test_the_release_is_the_key_as_written(tmp_path: Path) -> None:
    site = tmp_path / "site.yml"
    site.write_text("site: demo\nrelease: acme.tar.gz\n")
    assert release_key(site) == "acme.tar.gz"
    site.write_text("site: demo\n")
    assert release_key(site) is None
