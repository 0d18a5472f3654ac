"""Manual pages and completions, as `make install-docs` writes them and the wheel carries them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.unit.cli.test_completion import bash, completed
from tests.unit.cli.test_examples import ALL
from ucontact_appliance.errors import EXIT_CODES
from ucontact_appliance.resources import INSTALLER

SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO")


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the target writes, as PREFIX/share."""
    folder = tmp_path_factory.mktemp("share")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1796000000"}
    words = [sys.executable, str(INSTALLER / "manual.py"), str(folder)]
    subprocess.run(words, env=environment, check=True, capture_output=True)
    return folder


@cache
def rendered(page: Path) -> tuple[str, str]:
    """A page as plain text, and the formatter's warnings. The formatter is groff's or mandoc's."""
    if shutil.which("groff"):
        words = ["groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rHY=0"]
    else:
        words = ["mandoc", "-Tascii", "-Wwarning"]
    done = subprocess.run([*words, str(page)], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()), done.stderr


def test_each_command_has_a_page_and_nothing_else_has(share: Path) -> None:
    pages = {path.name for path in (share / "man/man1").iterdir()}
    assert pages == {f"{'-'.join(path)}.1" for path, _ in ALL}
    assert len(pages) > 40


def test_the_pages_render_without_a_warning(share: Path) -> None:
    for page in sorted((share / "man/man1").iterdir()):
        assert rendered(page)[1] == "", page.name


def test_a_page_tells_each_option_and_section(share: Path) -> None:
    for path, command in ALL:
        text, _ = rendered(share / "man/man1" / f"{'-'.join(path)}.1")
        shown = [one for one in command.params if not one.hidden and one.opts[0].startswith("--")]
        named = [name for one in shown for name in (*one.opts, *one.secondary_opts)]
        wanted = [section for section in SECTIONS if shown or section != "OPTIONS"]
        assert [word for word in (*wanted, *named, " ".join(path)) if word not in text] == []


def test_a_page_reads_like_a_manual(share: Path) -> None:
    text, _ = rendered(share / "man/man1/ucontact-doctor-history.1")
    assert text.startswith("UCONTACT-DOCTOR-HISTORY(1)")
    assert "2026-11-30" in text
    assert "ucontact doctor history [OPTIONS]" in text
    assert "ucontact doctor history --json" in text
    assert all(" ".join(meaning.split()) in text for meaning in EXIT_CODES.values())
    assert "/var/lib/ucontact/SITE/" in text
    assert "ucontact(1), ucontact-doctor(1), ucontact-doctor-changes(1)" in text


def test_a_plugin_of_nagios_has_its_own_exit_codes(share: Path) -> None:
    text, _ = rendered(share / "man/man1/ucontact-doctor-export-nagios.1")
    assert "2 CRITICAL: a check failed." in text
    assert EXIT_CODES[2] not in text


def test_bash_completes_by_the_installed_file(share: Path, tmp_path: Path) -> None:
    script = f"source {share}/bash-completion/completions/ucontact; "
    script += completed("ucontact", "doc") + completed("ucontact", "doctor", "hi")
    assert bash(script, tmp_path).splitlines() == ["doctor", "history"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("zsh/site-functions/_ucontact", "#compdef ucontact\n"),
        ("fish/vendor_completions.d/ucontact.fish", "complete --command ucontact "),
    ],
)
def test_the_files_of_other_shells_begin_with_the_program(
    share: Path, path: str, told: str
) -> None:
    assert (share / path).read_text().startswith(told)
