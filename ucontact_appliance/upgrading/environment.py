"""The virtual environments of the appliance on this machine: in use, next, and the one before.

The next one (`PREFIX.new`) is built beside the one in use, and works from there. When the site runs
with it, the two change places in one step, and the older one stays as `PREFIX.previous`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.os_errors import refusing
from ucontact_appliance.printable import printable
from ucontact_appliance.resources import INSTALLED, ROOT
from ucontact_appliance.site.files import private_dir
from ucontact_appliance.state import var_root

NEXT, BEFORE = ".new", ".previous"
_SECONDS = 1800.0
_SAID = 4000
_TEXT = 1 << 20  # a script in bin/ is smaller
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # renameat2(2)
# Where a checkout's or another installation's modules would come from.
_ELSEWHERE = frozenset({"PYTHONPATH", "PYTHONHOME"})


def demand_environment() -> Path:
    """Return the environment in use. Raises UsageError if it is none that can be replaced."""
    if not INSTALLED:
        raise UsageError(
            _("this ucontact runs from a checkout, which no wheel replaces"),
            evidence=str(ROOT),
            helps=with_note(f"git -C {ROOT} pull", _("then upgrade the site with it")),
        )
    if sys.prefix == sys.base_prefix:
        raise UsageError(
            _("this ucontact is not in a virtual environment of its own"),
            evidence=sys.prefix,
            helps="python3 -m venv /opt/ucontact",
        )
    return base()


def base() -> Path:
    """Return the place of the environment in use, also when called in one of the others."""
    prefix = Path(sys.prefix)
    for suffix in (NEXT, BEFORE):
        if prefix.name.endswith(suffix):
            return prefix.with_name(prefix.name.removesuffix(suffix))
    return prefix


def beside(prefix: Path, suffix: str) -> Path:
    """Return the place of another environment."""
    return prefix.with_name(f"{prefix.name}{suffix}")


def version_in(prefix: Path) -> str | None:
    """Return the version of the appliance in an environment; None if there is none."""
    found = sorted(prefix.glob("lib/python*/site-packages/ucontact_appliance-*.dist-info"))
    return found[0].name.split("-")[1].removesuffix(".dist") if found else None


def environment_of(version: str) -> Path | None:
    """Return another environment on this machine that has this version of the appliance."""
    here = base()
    for prefix in (here, beside(here, BEFORE), beside(here, NEXT)):
        if prefix != Path(sys.prefix) and version_in(prefix) == version:
            return prefix
    return None


def command_in(prefix: Path, *words: str) -> list[str]:
    """Return the words that run `ucontact` in an environment, wherever it lies.

    Its script, not `-m`, which would take the modules of a checkout in the current folder.
    """
    return [str(prefix / "bin/python"), str(prefix / "bin/ucontact"), *words]


def variables() -> Mapping[str, str]:
    """Return the environment variables for a command in another environment."""
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}


@contextmanager
def appliance_lock() -> Iterator[None]:
    """Hold the lock on the appliance's environments. Raises UsageError while another does."""
    path = private_dir(var_root()) / "appliance.lock"
    with refusing(_("the lock {path} can't be opened", path=path), path):
        stream = path.open("a", encoding="utf-8")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                _("the appliance is being upgraded by another command on this machine"),
                helps=_("wait until it has ended"),
            ) from None
        yield


def build_next(wheel: Path, version: str, prefix: Path) -> Path:
    """Build the next environment with the wheel; return its place.

    Raises PhaseFailedError with pip's words; then there is no next environment.
    """
    target = beside(prefix, NEXT)
    if target.exists() and not (target / "pyvenv.cfg").exists():
        raise UsageError(
            _("{path} is no environment of the appliance", path=target),
            helps=_("move it elsewhere: the next version is installed there"),
        )
    drop(target)
    try:
        _run([sys.executable, "-I", "-m", "venv", str(target)])
        _run(
            [
                *(str(target / "bin/python"), "-I", "-m", "pip", "install", "--quiet"),
                *("--disable-pip-version-check", "--only-binary", ":all:", str(wheel)),
            ]
        )
        _run(command_in(target, "--version"))
        if version_in(target) != version:
            raise PhaseFailedError(
                _("pip installed another version than {version}", version=version)
            )
    except BaseException:
        drop(target)
        raise
    return target


def _run(words: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=variables(),
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from error
    if done.returncode:
        raise _failed((done.stderr or done.stdout).strip()[-_SAID:])


def _failed(evidence: str) -> PhaseFailedError:
    return PhaseFailedError(
        _("the new version can't be installed on this machine; nothing was changed"),
        evidence=printable(evidence),
        helps=with_note(
            "pip config list", _("the new version's dependencies come from this index")
        ),
    )


def take_into_use(prefix: Path) -> None:
    """Put the next environment in the place of the one in use, which is kept as the one before."""
    target, before = beside(prefix, NEXT), beside(prefix, BEFORE)
    _relocate(target, prefix)
    drop(before)
    _exchange(target, prefix)
    target.rename(before)
    _sync(prefix.parent)


def return_to(kept: Path, prefix: Path) -> None:
    """Let a kept environment and the one in use change places."""
    _exchange(kept, prefix)
    _sync(prefix.parent)


def drop(path: Path) -> None:
    """Remove an environment, if it is there."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _relocate(built: Path, place: Path) -> None:
    """Let the scripts of an environment name the place that it gets."""
    for path in (*(built / "bin").iterdir(), built / "pyvenv.cfg"):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _TEXT:
            continue
        text = path.read_bytes()
        moved = text.replace(os.fsencode(built), os.fsencode(place))
        if moved != text and b"\0" not in text:
            partial = path.with_name(f"{path.name}.partial")
            partial.write_bytes(moved)
            shutil.copymode(path, partial)
            partial.replace(path)


def _exchange(first: Path, second: Path) -> None:
    """Let two paths change places, in one step where kernel and file system can."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:  # glibc 2.28 and later
        words = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
        if rename(*words) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(number, os.strerror(number), str(second))
    aside = second.with_name(f"{second.name}.aside")
    second.rename(aside)
    first.rename(second)
    aside.rename(first)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
