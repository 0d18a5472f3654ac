"""What `make` stands on: it mends itself, and without root it claims nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ucontact_appliance.lab.commands import TOOLS
from ucontact_appliance.resources import INSTALLER, ROOT

DEMO = "import demo; print(demo.command('secrets', 'show', 'a', '--site', '/a folder/site.yml'))"


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(*words: object, path: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(folder: Path) -> Path:
    """A python3 of 3.10 or later whose virtual environments cost nothing, and have a pip."""
    program(
        folder / "python3",
        'case "$*" in\n'
        f'*\'-m venv\'*) echo "$@" >>{folder}/made; for dir; do :; done; mkdir -p "$dir/bin";'
        ' printf "#!/bin/sh\\n" >"$dir/bin/python"; chmod 755 "$dir/bin/python";;\n'
        "esac",
    )
    return folder / "made"


def test_an_environment_without_pip_is_made_anew(tmp_path: Path) -> None:
    made, venv = fake_python(tmp_path / "fake"), tmp_path / "venv"
    program(venv / "bin/python", "exit 1")  # as an interrupted `python -m venv` leaves it
    assert run(INSTALLER / "bootstrap", "venv", venv, path=tmp_path / "fake").returncode == 0
    assert made.read_text() == f"-m venv --clear {venv}\n"
    assert run(INSTALLER / "bootstrap", "venv", venv, path=tmp_path / "fake").returncode == 0
    assert len(made.read_text().splitlines()) == 1


def test_without_root_the_unit_tests_run_and_the_rest_is_not_claimed(tmp_path: Path) -> None:
    program(tmp_path / "id", "echo 1000")
    program(tmp_path / "apt-get", f"touch {tmp_path}/installed")
    program(tmp_path / "bin/python", 'echo "ran $*"')
    done = run(
        INSTALLER / "run-tests",
        "fast",
        tmp_path / "bin",
        "no-such-tool:no-such-package",
        path=tmp_path,
    )
    assert done.returncode == 1
    assert "ran -m pytest tests/unit\n" in done.stdout
    assert "NOT RUN" in done.stderr
    assert not (tmp_path / "installed").exists()


def test_make_test_leaves_the_tools_to_who_knows_whether_there_is_root() -> None:
    text = (ROOT / "Makefile").read_text()
    for target, tier in (("test", "fast"), ("test-all", "all")):
        recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
        assert recipe is not None
        assert "bootstrap" not in recipe[1]
        assert f"run-tests {tier} $(BIN) $(LAB_TOOLS) $(TEST_TOOLS)" in recipe[1]


@pytest.mark.parametrize(("tier", "left_out"), [("fast", "-m not exhaustive "), ("all", "")])
def test_a_tier_runs_its_tests(tmp_path: Path, tier: str, left_out: str) -> None:
    program(tmp_path / "id", "echo 0")
    program(tmp_path / "bin/python", 'echo "ran $*"')
    done = run(INSTALLER / "run-tests", tier, tmp_path / "bin", path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"ran -m pytest tests {left_out}--numprocesses" in done.stdout


def test_fast_tests_above_their_budget_fail(tmp_path: Path) -> None:
    program(tmp_path / "id", "echo 0")
    program(tmp_path / "bin/python", "exit 0")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/budget").write_text("-100000\n")
    words = (INSTALLER / "run-tests", "fast", tmp_path / "bin")
    done = run(*words, path=tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert "make the new tests faster" in done.stderr
    (tmp_path / "tests/budget").write_text("9999\n")
    assert run(*words, path=tmp_path, cwd=tmp_path).returncode == 0


def test_an_unknown_tier_is_refused(tmp_path: Path) -> None:
    done = run(INSTALLER / "run-tests", "quick", tmp_path / "bin", path=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "use fast or all" in done.stderr


def test_make_installs_the_tools_that_the_lab_asks_for() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^LAB_TOOLS := (.*)$", text, re.MULTILINE)
    assert listed is not None
    pairs = dict(pair.split(":") for pair in listed[1].split())
    # Every Debian and Ubuntu has these two: their packages are of priority 'required'.
    always = {"mount", "unshare"}
    assert pairs == {tool: package for tool, package in TOOLS.items() if tool not in always}


def test_the_demo_prints_commands_that_run_as_they_stand() -> None:
    words = [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(INSTALLER)!r}]; {DEMO}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    line = shlex.split(done.stdout)
    assert line[0] == str(Path(sys.executable).with_name("ucontact"))
    assert line[1:] == ["secrets", "show", "a", "--site", "/a folder/site.yml"]
