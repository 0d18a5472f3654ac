"""Which site a command is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from ucontact_appliance.site.current import find_site_file, installed_site_file, remember_site


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path


def test_there_may_be_none(roots: Path) -> None:
    assert find_site_file() is None


def test_the_site_installed_last_is_remembered(roots: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (roots / name).write_text(name)
        remember_site(roots / name)
    found = find_site_file()
    assert found is not None
    assert found.read_text() == "b.yml"


def test_a_site_file_in_the_folder_comes_first(roots: Path) -> None:
    (roots / "a.yml").write_text("a")
    remember_site(roots / "a.yml")
    Path("site.yml").write_text("here")
    assert find_site_file() == Path("site.yml")


def test_a_customers_own_file_is_never_replaced(roots: Path) -> None:
    own = installed_site_file()
    own.parent.mkdir()
    own.write_text("own")
    (roots / "a.yml").write_text("a")
    remember_site(roots / "a.yml")
    assert own.read_text() == "own"
