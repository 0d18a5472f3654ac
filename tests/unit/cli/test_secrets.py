"""`ucontact secrets rotate`: which site it is about, what it says, and what it never shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.test_cli import SITE, Command, Terminal, ucontact
from ucontact_appliance.install import rotation
from ucontact_appliance.install.rotation import AppliedWhen, RotatedSecret, Say
from ucontact_appliance.site.current import remember_site

__all__ = ["ucontact"]  # a fixture

NAME = "telephony.extensions.6001"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """What was asked of the rotation, which says that it did it."""
    seen: list[tuple[str, Path]] = []

    def rotate(name: str, site_file: Path, say: Say) -> RotatedSecret:
        seen.append((name, site_file))
        now = name.startswith("telephony.extensions.")
        return (
            RotatedSecret(name, AppliedWhen.NOW, "one")
            if now
            else RotatedSecret(name, AppliedWhen.NEXT_INSTALL)
        )

    monkeypatch.setattr(rotation, "rotate", rotate)
    return seen


def test_a_replaced_secret_is_named_with_the_command_that_shows_it(
    ucontact: Command, asked: list[tuple[str, Path]], tmp_path: Path
) -> None:
    site = tmp_path / "site.yml"
    site.write_text(SITE)
    answer = ucontact("secrets", "rotate", NAME)
    assert (answer.code, asked) == (0, [(NAME, site)])
    assert f"ucontact secrets show {NAME} --site {site}" in answer.out
    assert "one now accepts only the new one" in answer.out


def test_what_the_next_install_applies_is_said_to_wait_for_it(
    ucontact: Command, asked: list[tuple[str, Path]], tmp_path: Path
) -> None:
    site = tmp_path / "site.yml"
    site.write_text(SITE)
    answer = ucontact("secrets", "rotate", "stun.turn", "--site", str(site))
    assert answer.code == 0
    assert "until the next install" in answer.out
    assert f"ucontact install --site {site}" in answer.out


def test_the_site_installed_last_is_not_changed_unasked(
    ucontact: Command,
    asked: list[tuple[str, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = tmp_path / "other" / "site.yml"
    site.parent.mkdir()
    site.write_text(SITE)
    remember_site(site)
    answer = ucontact("secrets", "rotate", NAME)
    assert (answer.code, asked) == (2, [])
    assert f"ucontact secrets rotate {NAME} --site {site}" in answer.err
    monkeypatch.setattr("sys.stdin", Terminal("demo\n"))
    assert ucontact("secrets", "rotate", NAME).code == 0
    assert asked == [(NAME, site)]


def test_without_any_site_the_way_to_one_is_told(
    ucontact: Command, asked: list[tuple[str, Path]]
) -> None:
    answer = ucontact("secrets", "rotate", NAME)
    assert (answer.code, asked) == (3, [])
    assert "ucontact init" in answer.err


def test_a_secret_that_is_never_given_is_replaced_by_another_command(
    ucontact: Command, tmp_path: Path
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    answer = ucontact("secrets", "set", NAME)
    assert answer.code == 2
    assert f"try: ucontact secrets rotate {NAME} --site {tmp_path / 'site.yml'}" in answer.err
