"""Build the evaluation release on a rehearsal machine (this module acts)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.records import MachineSpec
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.release.evaluation import (
    HEALTH,
    MODULES,
    NAME,
    SOURCES,
    Compiled,
    release_files,
    version_of,
)
from ucontact_appliance.release.manifest import ReleaseManifest, sign
from ucontact_appliance.release.pack import file_entry
from ucontact_appliance.release.store import ReleaseFiles, Say, store_release
from ucontact_appliance.release.trust import build_key

PACKAGES = ("openjdk-8-jdk-headless", "libmariadb-java", "nodejs", "npm", "ca-certificates")
_SOURCES = "/var/tmp/evaluation"
_OUT = "/var/tmp/evaluation-built"
_MACHINE = "release-build"
_SUITE = "sid"  # the suite that has JDK 8
_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_MOST_SECONDS = 1200
_TAIL_LINES = 15
# This machine's way to the package registry, which the build machine uses too.
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class BuildMachine(Protocol):
    """A machine for a build: a root file system to copy to, and a shell."""

    @property
    def root(self) -> Path:
        """The machine's root, as a path on this host."""

    def ssh(self, argv: Sequence[str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command in its shell as root."""


def build_evaluation(sources: str, say: Say) -> ReleaseFiles:
    """Build the release on a machine that is created for it and removed afterwards, and store it.

    Raises UsageError if rehearsal machines can't be made here, with what is missing, and
    PhaseFailedError if the build fails.
    """
    started = time.monotonic()
    machine = machines.up(MachineSpec(_MACHINE, _SUITE), say)
    try:
        compiled = compile_on(machine, say)
    finally:
        machines.down([_MACHINE], lambda text: None)
    release = pack_evaluation(compiled, sources)
    seconds = time.monotonic() - started
    say(_("built the evaluation release in {seconds:.0f} s", seconds=seconds))
    return release


def compile_on(machine: BuildMachine, say: Say) -> Compiled:
    """Install the tools on the machine, compile the sources there, and collect the results.

    Raises PhaseFailedError with the end of a failed command's output.
    """
    _copy_sources(machine.root)
    say(_("installing {packages}", packages=", ".join(PACKAGES)))
    _run(machine, ["apt-get", "update", "-qq"], {})
    # npm comes in hundreds of small packages. The machine is disposable, so its files need not
    # survive a power cut: without one sync per file this takes a third of the time.
    unsynced = ["-o", "DPkg::Options::=--force-unsafe-io"]
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *unsynced, *PACKAGES]
    _run(machine, install, {"DEBIAN_FRONTEND": "noninteractive"})
    say(_("compiling the backend and bundling the softphone"))
    _run(machine, [f"{_SOURCES}/compile.sh", _SOURCES, _OUT], _npm_environment())
    built = machine.root / _OUT.lstrip("/")
    return Compiled(
        classes={name: _contents(built / "classes" / name) for name in ("server", *MODULES)},
        softphone=_contents(built / "softphone"),
        drivers=_contents(built / "drivers"),
    )


def pack_evaluation(compiled: Compiled, sources: str) -> ReleaseFiles:
    """Assemble the release, sign it with this machine's key, and put it into the store."""
    version = version_of(sources)
    files = release_files(compiled, version)
    manifest = ReleaseManifest(
        name=NAME,
        version=version,
        evaluation=True,
        sources=sources,
        health=HEALTH,
        files={path: file_entry(content) for path, content in files.items()},
    )
    key = build_key(make=True)
    assert key is not None  # make=True creates it
    return store_release(sign(manifest, key), files)


def _copy_sources(root: Path) -> None:
    target = root / _SOURCES.lstrip("/")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SOURCES, target, ignore=shutil.ignore_patterns("node_modules", "dist", ".*"))


def _npm_environment() -> dict[str, str]:
    """This machine's npm registry and proxies, if it has its own, for npm on the build machine."""
    environment = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    environment["NODE_EXTRA_CA_CERTS"] = environment["npm_config_cafile"] = _CA_BUNDLE
    # npm's own spelling
    registry = os.environ.get("npm_config_registry") or _configured_registry()  # noqa: SIM112
    if registry:
        environment["npm_config_registry"] = registry
    return environment


def _configured_registry() -> str:
    """The registry that npm on this machine is configured with; empty without npm."""
    npm = shutil.which("npm")
    if npm is None:
        return ""
    asked = subprocess.run(
        [npm, "config", "get", "registry"], capture_output=True, text=True, check=False, cwd="/"
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _run(machine: BuildMachine, argv: Sequence[str], environment: Mapping[str, str]) -> None:
    words = ["env", *(f"{name}={value}" for name, value in environment.items()), *argv]
    try:
        done = machine.ssh([shlex.join(words)], timeout=_MOST_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PhaseFailedError(
            _(
                "a build step did not finish within {most_seconds} s",
                most_seconds=_MOST_SECONDS,
            ),
            evidence=f"$ {shlex.join(argv)}",
            helps=with_note("ucontact release build-evaluation", _("tries again")),
        ) from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise PhaseFailedError(
            _("the evaluation release can't be built"),
            evidence="\n".join([f"$ {shlex.join(argv)}", *lines[-_TAIL_LINES:]]),
            helps=with_note("ucontact release build-evaluation", _("tries again")),
        )


def _contents(folder: Path) -> dict[str, bytes]:
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    if not found:
        raise PhaseFailedError(
            _("the build produced no files"), evidence=_("{name} is empty", name=folder.name)
        )
    return found
