"""What CONTRIBUTING.md says of adding things is true: done in a copy of the project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ucontact_appliance.resources import ROOT

_PARTS = ("ucontact_appliance", "tests", "roles", "installer", "templates", "inventory", "docs")
_CHECK = '''
def judge_swap(used: int) -> Judgement:
    """A server of calls does not swap."""
    required = _("no page in swap")
    return passed(_("nothing swapped"), required) if used == 0 else failed(_("it swaps"), required)


@check(
    id="pressure.swap",
    title=_("Nothing is swapped out"),
    severity=Severity.LOW,
    requirements=("R12",),
    remedy="{ssh} free -m",
)
def _swap(subject: Subject) -> Judgement:
    return judge_swap(0)


'''
_SPANISH = {
    "no page in swap": "ninguna página en swap",
    "nothing swapped": "nada en swap",
    "it swaps": "usa swap",
    "Nothing is swapped out": "No hay nada en swap",
}
_FAULT = """
FAULTS = (
    *FAULTS,
    Fault("host-swaps", "the server swaps", Kind.HOST, ids("pressure.swap"), inject="swapon /x"),
)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, without what was built."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "recorded_calls")
    for part in _PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def insert(path: Path, before: str, text: str) -> None:
    there = path.read_text(encoding="utf-8")
    assert there.count(before) == 1
    path.write_text(there.replace(before, text.lstrip("\n") + before), encoding="utf-8")


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def translate(catalogue: Path, texts: dict[str, str]) -> None:
    written = catalogue.read_text(encoding="utf-8")
    for text, spanish in texts.items():
        empty = f'msgid "{text}"\nmsgstr ""\n'
        assert written.count(empty) == 1
        written = written.replace(empty, f'msgid "{text}"\nmsgstr "{spanish}"\n')
    catalogue.write_text(written, encoding="utf-8")


def python(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the copy's code, not the installed one's."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(copy), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


def run_pytest(copy: Path, *files: str) -> subprocess.CompletedProcess[str]:
    return python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files)


def test_a_check_takes_these_files(copy: Path) -> None:
    package = copy / "ucontact_appliance"
    insert(package / "checks/pressure.py", "CHECKS = checks_of(globals())\n", _CHECK)
    assert run_pytest(copy, "tests/unit/language/test_complete.py").returncode == 1
    assert python(copy, "-m", "tests.messages").returncode == 1
    translate(package / "language/locale/es/LC_MESSAGES/ucontact.po", _SPANISH)
    assert python(copy, "-m", "tests.messages").returncode == 0
    append(copy / "tests/faults/catalogue/host.py", _FAULT)
    assert python(copy, "-m", "tests.pages").returncode == 0
    done = run_pytest(
        copy,
        "tests/unit/language/test_complete.py",
        "tests/unit/findings/test_registry.py",
        "tests/unit/faults/test_catalogue.py",
        "tests/unit/test_pages.py",
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "`pressure.swap`" in (copy / "docs/checks.md").read_text(encoding="utf-8")


def test_a_roles_parameter_takes_these_files(copy: Path) -> None:
    role = copy / "roles/stun"
    append(role / "defaults/main.yml", "\n# One relay more.\nstun_extra: 7\n")
    append(
        role / "meta/argument_specs.yml",
        "      stun_extra:\n        type: int\n        description: One relay more.\n",
    )
    assert run_pytest(copy, "tests/unit/test_pages.py").returncode == 1
    assert python(copy, "-m", "tests.pages").returncode == 0
    assert run_pytest(copy, "tests/unit/test_pages.py").returncode == 0
    page = (role / "README.md").read_text(encoding="utf-8")
    assert "| `stun_extra` | int | `7` | One relay more. |" in page
