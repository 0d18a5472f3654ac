"""`make wheel`: build the installable wheel in dist/.

It contains the evaluation release, and installs manual pages and completions into the environment.

The build is reproducible: the same commit gives the same bytes, with the same versions of Debian's
packages on the build machine, of hatchling and of zlib. Files that git ignores are left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import manual
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ucontact_appliance.ed25519 import private_key
from ucontact_appliance.errors import ApplianceError, PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.release.shipped import write_shipped
from ucontact_appliance.release.store import ensure_evaluation
from ucontact_appliance.release.wheel import sign_wheel, signature_path
from ucontact_appliance.resources import ROOT

# The same names as in wheel_hook.py, which hatchling runs without this package.
RELEASES = "UCONTACT_WHEEL_RELEASES"
SHARE = "UCONTACT_WHEEL_SHARE"
_UMASK = 0o022  # hatchling keeps the modes of the files that are copied here


def publishers_key(path: Path) -> Ed25519PrivateKey:
    """The private key that signs the release in the wheel. Raises for a file without a key."""
    try:
        key = private_key(path.read_bytes())
    except OSError as error:
        raise UnreachableError(
            "the publisher's key can't be read",
            evidence=str(error),
            helps="make wheel SIGN_WITH=FILE",
        ) from error
    if key is None:
        raise UsageError(
            "the publisher's key can't be used",
            evidence=f"{path} holds no Ed25519 private key in PEM without a passphrase",
            helps=f"openssl pkey -in {path} -noout -text   (shows what it holds)",
        )
    return key


def git(*words: str) -> str | None:
    """Output of git about these sources; None if they are no clone but an unpacked archive."""
    command = ["git", "-C", str(ROOT), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def copy_sources(target: Path) -> None:
    """Copy the files of the working tree that git does not ignore."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None:
        leftovers = shutil.ignore_patterns(
            ".git", ".venv", "build", "dist", "node_modules", "__pycache__"
        )
        shutil.copytree(ROOT, target, ignore=leftovers)
        return
    if git("status", "--porcelain"):
        print("note: the working tree has changes, so this is not the commit's wheel", flush=True)
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, target / name
        if source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)


def set_time() -> None:
    """Date the wheel by its commit, unless the environment sets a date."""
    committed = git("log", "-1", "--format=%ct")
    if committed:  # otherwise hatchling uses a fixed time
        os.environ.setdefault(manual.EPOCH, committed.strip())


def build(sources: Path, releases: Path, share: Path, out: Path) -> Path:
    """Build the wheel into `out`. Raises PhaseFailedError with the end of the output."""
    environment = {**os.environ, RELEASES: str(releases), SHARE: str(share)}
    # Build in this environment, not in one that pip fills with the newest hatchling of the day.
    words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(sources)]
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise PhaseFailedError(
            "the wheel can't be built", evidence="\n".join(lines[-15:]), helps="make wheel"
        )
    return next(out.glob("*.whl"))


def make_wheel(out: Path, sign_with: Path | None) -> Path:
    """Build the wheel, and before it the evaluation release if it is not stored yet."""
    key = publishers_key(sign_with) if sign_with else None
    release = ensure_evaluation(print)
    os.umask(_UMASK)
    with tempfile.TemporaryDirectory(prefix="ucontact-wheel-") as folder:
        names = ("src", "releases", "share", "built")
        sources, releases, share, built = (Path(folder) / name for name in names)
        releases.mkdir()
        write_shipped(release.archive, releases, key)
        copy_sources(sources)
        set_time()
        manual.write_share(share, manual.date_of(os.environ.get(manual.EPOCH)))
        wheel = build(sources, releases, share, built)
        out.mkdir(parents=True, exist_ok=True)
        made = Path(shutil.move(wheel, out / wheel.name))
        signature_path(made).unlink(missing_ok=True)
        if key is not None:
            print(sign_wheel(made, key))
        return made


def main() -> int:
    """Return 0, or the exit code of the error."""
    parser = argparse.ArgumentParser(description="Build the wheel with its evaluation release.")
    parser.add_argument("--outdir", type=Path, default=ROOT / "dist", help="default: dist/")
    parser.add_argument(
        "--sign-with", type=Path, metavar="FILE", help="a publisher's Ed25519 private key, in PEM"
    )
    options = parser.parse_args()
    try:
        print(make_wheel(options.outdir.absolute(), options.sign_with))
    except ApplianceError as error:
        print(*filter(None, (error.what, error.evidence, error.helps)), sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
