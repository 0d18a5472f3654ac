"""Base images: a fresh server of a Debian suite, made once and cached by its recipe."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.commands import run
from ucontact_appliance.lab.mirror import debian_mirror

Observer = Callable[[str], None]

SUITES = ("bullseye", "bookworm", "trixie", "sid")
# What a freshly installed server has; everything else is the appliance's to bring.
PACKAGES = (
    "apt",
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tzdata",
)
_BUILD_SECONDS = 600
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_RESOLVER = Path("/etc/resolv.conf")
# The newest suite's Release file can be past its date on a mirror that stands still. Lab only.
_APT = 'Acquire::Check-Valid-Until "false";\nAPT::Install-Recommends "false";\n'
_NETWORKD = "[Match]\nName=host0\n\n[Network]\nAddress={address}\nGateway={gateway}\n"


def base_image(suite: str, on_event: Observer) -> Path:
    """The image's folder, made when it is not there yet. Raises UsageError for an unknown suite."""
    if suite not in SUITES:
        raise UsageError(
            f"there is no suite {suite!r}",
            evidence=f"suites: {', '.join(SUITES)}",
            helps="ucontact lab up --suite sid",
        )
    ensure_keys()
    image = layout.images() / f"{suite}-{recipe(suite)}"
    if image.is_dir():
        return image
    on_event(f"making the base image of {suite} (once, about half a minute)")
    half = layout.images() / f".{image.name}.partial"
    _remove(half)
    half.parent.mkdir(parents=True, exist_ok=True)
    _bootstrap(suite, half)
    _configure(half)
    half.rename(image)
    return image


def recipe(suite: str) -> str:
    """A hash of everything that decides what the image holds."""
    parts = (suite, *PACKAGES, _APT, layout.ssh_key().with_suffix(".pub").read_text())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def ensure_keys() -> None:
    """The lab's own ssh key, and the host keys of its machines."""
    layout.lab_root().mkdir(mode=0o700, parents=True, exist_ok=True)
    if not layout.ssh_key().exists():
        _keygen(layout.ssh_key(), "ucontact rehearsal machines")
    layout.host_keys().mkdir(mode=0o700, exist_ok=True)
    for kind in ("ed25519", "ecdsa"):
        path = layout.host_keys() / f"ssh_host_{kind}_key"
        if not path.exists():
            _keygen(path, "rehearsal machine", kind)


def _keygen(path: Path, comment: str, kind: str = "ed25519") -> None:
    run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)])


def _bootstrap(suite: str, target: Path) -> None:
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            "--mode=root",
            f"--include={','.join(PACKAGES)}",
            f"--aptopt={_APT}".rstrip("\n"),
            suite,
            str(target),
            debian_mirror(),
        ],
        timeout=_BUILD_SECONDS,
    )


def _configure(root: Path) -> None:
    """Keys, resolver, trust and network service, as an operator would have set them."""
    (root / "etc/apt/apt.conf.d/90lab").write_text(_APT)
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    public = layout.ssh_key().with_suffix(".pub").read_text()
    (ssh / "authorized_keys").write_text(public)
    for path in root.glob("etc/ssh/ssh_host_*"):
        path.unlink()
    for path in layout.host_keys().iterdir():
        shutil.copy2(path, root / "etc/ssh" / path.name)
    # What the host trusts, its machines trust: a mirror behind a proxy may need it.
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    if _CA_BUNDLE.exists():
        shutil.copy2(_CA_BUNDLE, root / "etc/ssl/certs/ca-certificates.crt")
    copy_resolver(root)
    # The host's own name would win over --hostname once systemd is up.
    (root / "etc/hostname").unlink(missing_ok=True)
    run(["systemctl", "--root", str(root), "enable", "systemd-networkd.service", "ssh.service"])
    # A rehearsal machine that is up is reachable: nothing to wait for.
    run(["systemctl", "--root", str(root), "mask", "systemd-networkd-wait-online.service"])


def copy_resolver(root: Path) -> None:
    """The host's resolver; where that is on the loopback, what systemd-resolved asks itself."""
    upstream = Path("/run/systemd/resolve/resolv.conf")
    stub = "127.0.0.53" in _RESOLVER.read_text()
    target = root / "etc/resolv.conf"
    target.unlink(missing_ok=True)
    shutil.copyfile(upstream if stub and upstream.exists() else _RESOLVER, target)


def personalise(root: Path, name: str, address: str) -> None:
    """Name and address of one machine, written to its own layer."""
    (root / "etc/hostname").write_text(f"{name}\n")
    # Empty: systemd makes one, and does not take this for a first boot with questions to ask.
    (root / "etc/machine-id").write_text("")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{address} {name}\n")
    network = root / "etc/systemd/network/10-host0.network"
    network.parent.mkdir(parents=True, exist_ok=True)
    network.write_text(
        _NETWORKD.format(address=f"{address}/{layout.NETWORK.prefixlen}", gateway=layout.GATEWAY)
    )


def pretend_ubuntu(root: Path, version: str) -> None:
    """Make /etc/os-release say Ubuntu: what it is stays Debian, and it says that too."""
    release = root / "etc/os-release"
    if release.is_symlink() or release.exists():
        release.unlink()
    release.write_text(
        f'PRETTY_NAME="Ubuntu {version} (a rehearsal machine made of Debian)"\nNAME="Ubuntu"\n'
        f'VERSION_ID="{version}"\nID=ubuntu\nID_LIKE=debian\n'
    )


def _remove(path: Path) -> None:
    if path.exists():
        if os.path.ismount(path):
            raise UsageError(f"{path} is a mount point; it is left alone")
        shutil.rmtree(path)
