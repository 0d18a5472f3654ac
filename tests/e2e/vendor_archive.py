"""A vendor's packages made of the distribution's, and an apt archive of them, signed or not."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from ucontact_appliance.lab import layout

SUITE = "vendor"
MARKER = "usr/share/doc/asterisk/vendor"  # a file that the distribution's package does not have


def repacked(package: Path, folder: Path, version: str) -> Path:
    """The package with another version of itself and of its siblings, and with the marker."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    text = control.read_text(encoding="utf-8")
    (old,) = re.findall(r"^Version: (.*)$", text, re.MULTILINE)
    control.write_text(text.replace(old, version), encoding="utf-8")
    name, architecture = field(text, "Package"), field(text, "Architecture")
    if name == "asterisk":
        (tree / MARKER).write_text(f"{version}\n", encoding="utf-8")
    made = folder / f"{name}_{version.partition(':')[2]}_{architecture}.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", tree, made], check=True, capture_output=True)
    subprocess.run(["rm", "-r", tree], check=True)
    return made


def empty_package(folder: Path, name: str, version: str) -> Path:
    """A package with nothing in it."""
    tree = folder / "empty"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: tests <a@b.test>\n"
        "Description: empty\n",
        encoding="utf-8",
    )
    made = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", tree, made], check=True, capture_output=True)
    subprocess.run(["rm", "-r", tree], check=True)
    return made


def field(control: str, name: str) -> str:
    """The value of a one-line field."""
    found = re.search(rf"^{name}: (.*)$", control, re.MULTILINE)
    assert found is not None
    return found[1]


def sha256(path: Path) -> str:
    """The file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Signer:
    """A key of GnuPG in a folder of its own."""

    home: Path

    @property
    def key(self) -> Path:
        """The armored public key."""
        return self.home / "archive.asc"

    def sign(self, text: Path, signed: Path) -> None:
        """Write the text with a clear signature."""
        self._gpg("--clearsign", "--output", str(signed), str(text))

    def _gpg(self, *words: str) -> None:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--pinentry-mode"]
        subprocess.run([*command, "loopback", *words], check=True, capture_output=True)

    def create(self) -> None:
        """Make the key."""
        self.home.mkdir(mode=0o700)
        self._gpg("--passphrase", "", "--quick-gen-key", "vendor@vendor.test", "rsa3072", "sign")
        self._gpg("--armor", "--output", str(self.key), "--export", "vendor@vendor.test")


@contextlib.contextmanager
def signer(home: Path) -> Iterator[Signer]:
    """A new key; its agent ends with the block."""
    made = Signer(home)
    made.create()
    try:
        yield made
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


def make_archive(folder: Path, packages: Sequence[Path], signed_by: Signer | None) -> None:
    """Write an apt archive with these packages (deb-packages format of the Debian wiki)."""
    pool, suite = folder / "pool", folder / "dists" / SUITE
    rows = []
    pool.mkdir(parents=True)
    for package in packages:
        os.link(package, pool / package.name)
        control = subprocess.run(
            ["dpkg-deb", "--field", package], check=True, capture_output=True, text=True
        ).stdout
        row = f"{control}Filename: pool/{package.name}\nSize: {package.stat().st_size}\n"
        rows.append(f"{row}SHA256: {sha256(package)}\n")
    own = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    index = suite / f"main/binary-{own}/Packages"
    index.parent.mkdir(parents=True)
    index.write_text("\n".join(rows), encoding="utf-8")
    sums = f" {sha256(index)} {index.stat().st_size} {index.relative_to(suite)}\n"
    release = suite / "Release"
    release.write_text(
        f"Origin: Vendor\nSuite: {SUITE}\nCodename: {SUITE}\nComponents: main\n"
        f"Architectures: {own}\nDate: {formatdate(usegmt=True)}\n"
        f"SHA256:\n{sums}",
        encoding="utf-8",
    )
    if signed_by:
        signed_by.sign(release, suite / "InRelease")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the folder on the bridge, by HTTP."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer((str(layout.GATEWAY), 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{layout.GATEWAY}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
