import json
from pathlib import Path

import pytest

from tests.unit.report.samples import report
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.report.verify import altered_files
from ucontact_appliance.report.write import MANIFEST, write_report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_report(report(), tmp_path / "r")
    return tmp_path / "r"


def test_a_report_is_three_private_files(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.json", MANIFEST}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_untouched_report_is_intact(folder: Path) -> None:
    assert altered_files(folder) == ()


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_an_altered_or_missing_file_is_named(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert altered_files(folder) == (name,)
    path.unlink()
    assert altered_files(folder) == (name,)


def test_a_manifest_that_vouches_for_nothing_does_not_pass(folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps({"sha256": {}}))
    assert altered_files(folder) == ("report.html", "report.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 1}', "\x00"])
def test_a_damaged_manifest_is_said_so(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)
    with pytest.raises(UsageError, match="damaged"):
        altered_files(folder)


def test_another_folder_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no report's folder"):
        altered_files(tmp_path)
