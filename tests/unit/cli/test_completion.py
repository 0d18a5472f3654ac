"""Completion, asked for by the shell itself as a person's TAB does; and what names no command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(sys.executable).absolute().parent


def bash(script: str, home: Path) -> str:
    """What bash says, with `ucontact` on its path."""
    environment = {**os.environ, "PATH": f"{FOLDER}:{os.environ['PATH']}", "HOME": str(home)}
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def completed(*words: str) -> str:
    """A script that completes the last of the words as readline does."""
    return (
        f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
        '"$(complete -p ucontact | sed -E "s/.*-F ([^ ]+).*/\\1/")" ucontact; '
        'echo "${COMPREPLY[@]}"; '
    )


def test_what_bash_sources_completes_commands_options_and_subcommands(tmp_path: Path) -> None:
    script = 'source /dev/stdin <<< "$(ucontact --show-completion)"; '
    script += completed("ucontact", "se") + completed("ucontact", "secrets", "")
    script += completed("ucontact", "install", "--dr")
    assert bash(script, tmp_path).splitlines() == ["secrets", "show list set rotate", "--dry-run"]


def test_completion_installed_for_bash_works_in_the_next_shell(tmp_path: Path) -> None:
    assert "bash completion installed" in bash("ucontact --install-completion", tmp_path)
    told = bash(f"source {tmp_path}/.bashrc; " + completed("ucontact", "lab", "d"), tmp_path)
    assert told == "down\n"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"_UCONTACT_COMPLETE": "source_zsh"}, "compdef _ucontact_completion ucontact"),
        ({"_UCONTACT_COMPLETE": "source_fish"}, "complete --command ucontact"),
        (
            {"_UCONTACT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "ucontact lab do"},
            '"down"',
        ),
        (
            {
                "_UCONTACT_COMPLETE": "complete_fish",
                "_TYPER_COMPLETE_ARGS": "ucontact lab do",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            },
            "down\t",
        ),
    ],
)
def test_other_shells_get_their_own(environment: dict[str, str], told: str) -> None:
    done = subprocess.run(
        [FOLDER / "ucontact"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout
