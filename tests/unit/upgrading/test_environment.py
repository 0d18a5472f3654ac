"""The environments of the appliance: which one is where, and how they change places."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.upgrading import environment
from ucontact_appliance.upgrading.environment import (
    appliance_lock,
    base,
    beside,
    build_next,
    command_in,
    demand_environment,
    environment_of,
    return_to,
    take_into_use,
    version_in,
)


def make(prefix: Path, version: str) -> Path:
    """An environment with a script, an executable link and that version of the appliance."""
    (prefix / f"lib/python3.12/site-packages/ucontact_appliance-{version}.dist-info").mkdir(
        parents=True
    )
    (prefix / "bin").mkdir()
    (prefix / "bin/python").symlink_to(sys.executable)
    script = prefix / "bin/ucontact"
    script.write_text(f"#!{prefix}/bin/python\n")
    script.chmod(0o755)
    (prefix / "pyvenv.cfg").write_text(f"command = python -m venv {prefix}\n")
    return prefix


@pytest.fixture
def opt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in use, 1.2.0."""
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(environment, "INSTALLED", True)
    made = make(tmp_path / "opt/ucontact", "1.2.0")
    monkeypatch.setattr(sys, "prefix", str(made))
    return made


def test_the_place_in_use_is_known_from_each_of_them(
    opt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in ("", ".new", ".previous"):
        monkeypatch.setattr(sys, "prefix", f"{opt}{suffix}")
        assert base() == opt
    assert demand_environment() == opt


def test_another_one_is_found_by_its_version(opt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(beside(opt, ".previous"), "1.1.0")
    assert version_in(opt) == "1.2.0"
    assert environment_of("1.1.0") == beside(opt, ".previous")
    assert environment_of("1.2.0") is None  # this one
    assert environment_of("1.0.0") is None
    monkeypatch.setattr(sys, "prefix", f"{opt}.new")  # the next one looks for the one in use
    assert environment_of("1.2.0") == opt


def test_the_next_one_takes_the_place_of_the_one_in_use(opt: Path) -> None:
    following = make(beside(opt, ".new"), "1.3.0")
    make(beside(opt, ".previous"), "1.1.0")
    take_into_use(opt)
    assert (version_in(opt), version_in(beside(opt, ".previous"))) == ("1.3.0", "1.2.0")
    assert not following.exists()
    # Each script names the place that its environment has when it is in use.
    for place in (opt, beside(opt, ".previous")):
        assert (place / "bin/ucontact").read_text() == f"#!{opt}/bin/python\n"
        assert os.access(place / "bin/ucontact", os.X_OK)
        assert (place / "bin/python").is_symlink()
    assert (opt / "pyvenv.cfg").read_text() == f"command = python -m venv {opt}\n"

    return_to(beside(opt, ".previous"), opt)
    assert (version_in(opt), version_in(beside(opt, ".previous"))) == ("1.2.0", "1.3.0")


def test_where_the_kernel_can_not_exchange_they_are_renamed(
    opt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(beside(opt, ".new"), "1.3.0")
    monkeypatch.setattr(environment.ctypes, "CDLL", lambda *words, **options: object())
    take_into_use(opt)
    assert (version_in(opt), version_in(beside(opt, ".previous"))) == ("1.3.0", "1.2.0")
    assert sorted(path.name for path in opt.parent.iterdir()) == ["ucontact", "ucontact.previous"]


def test_an_exchange_that_fails_changes_nothing(opt: Path) -> None:
    with pytest.raises(FileNotFoundError):
        return_to(beside(opt, ".previous"), opt)
    assert version_in(opt) == "1.2.0"


def test_pips_words_are_told_and_nothing_is_left(
    opt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "python"
    tool.write_text(
        "#!/bin/sh\n"
        'test "$3" != venv || { mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; exit; }\n'
        'test "$3" != pip || { echo "no matching distribution" >&2; exit 1; }\n'
    )
    tool.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tool))
    with pytest.raises(PhaseFailedError, match="nothing was changed") as caught:
        build_next(tmp_path / "a.whl", "1.3.0", opt)
    assert caught.value.evidence == "no matching distribution"
    assert not beside(opt, ".new").exists()


def test_somebody_elses_folder_is_not_written_over(opt: Path, tmp_path: Path) -> None:
    beside(opt, ".new").mkdir()
    (beside(opt, ".new") / "theirs").write_text("")
    with pytest.raises(UsageError, match="no environment of the appliance"):
        build_next(tmp_path / "a.whl", "1.3.0", opt)
    assert (beside(opt, ".new") / "theirs").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ((environment, "INSTALLED", False), "runs from a checkout"),
        ((sys, "base_prefix", None), "not in a virtual environment of its own"),
    ],
)
def test_what_can_not_be_replaced_is_refused(
    opt: Path, changed: tuple[Any, str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, name, value = changed
    monkeypatch.setattr(where, name, str(opt) if value is None else value)
    with pytest.raises(UsageError, match=told):
        demand_environment()


def test_one_command_at_a_time(opt: Path) -> None:
    with appliance_lock(), pytest.raises(UsageError, match="another command"), appliance_lock():
        pass
    with appliance_lock():
        pass


def test_a_command_runs_in_its_environment_from_any_folder(opt: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "ucontact_appliance").mkdir(parents=True)
    (checkout / "ucontact_appliance/__init__.py").write_text("raise SystemExit('the checkout')")
    (opt / "bin/ucontact").write_text("import sys\nprint(sys.path[0])\nimport ucontact_appliance\n")
    (opt / "bin/ucontact_appliance.py").write_text("print('its own')\n")
    done = subprocess.run(command_in(opt), cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(opt / "bin"), "its own"]


def test_a_checkouts_modules_are_not_those_of_another_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/checkout")
    monkeypatch.setenv("UCONTACT_ETC", "/etc/else")
    found = environment.variables()
    assert "PYTHONPATH" not in found
    assert found["UCONTACT_ETC"] == "/etc/else"
