"""Base images: a fresh server of a Debian suite, built once and cached by a hash of its recipe."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.lab import layout, processes
from ucontact_appliance.lab.commands import run
from ucontact_appliance.lab.mirror import debian_mirror
from ucontact_appliance.language.messages import _

Observer = Callable[[str], None]

_HALF = ".half-"

SUITES = ("bullseye", "bookworm", "trixie", "sid")
# File with a machine's own name, below its root.
HOSTNAME = "etc/hostname"
_NETWORK_FILE = "etc/systemd/network/10-host0.network"
# The packages of a freshly installed server; the appliance must install everything else.
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
# Increase it with every change of `_configure`, so that images are built again.
_EDITION = "2"
_BUILD_SECONDS = 600
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_RESOLVER = Path("/etc/resolv.conf")
# The newest suite's Release file may have expired on a mirror that is not updated. Lab only.
_APT = (
    'Acquire::Check-Valid-Until "false";\nAcquire::Retries "3";\nAPT::Install-Recommends "false";\n'
)
_NETWORKD = "[Match]\nName=host0\n\n[Network]\nAddress={address}\nGateway={gateway}\n"


def base_image(suite: str, on_event: Observer) -> Path:
    """The image's folder, built if it does not exist. Raises UsageError for an unknown suite.

    The caller holds the lab's lock: a concurrent build would be removed as an unfinished one.
    """
    if suite not in SUITES:
        raise UsageError(
            _("there is no suite {suite!r}", suite=suite),
            evidence=_("suites: {names}", names=", ".join(SUITES)),
            helps="ucontact lab up --suite sid",
        )
    ensure_keys()
    image = layout.images() / f"{suite}-{recipe(suite)}"
    if image.is_dir():
        return image
    on_event(_("making the base image of {suite} (once, about half a minute)", suite=suite))
    drop_halves()
    half = layout.images() / f"{_HALF}{image.name}"
    half.parent.mkdir(parents=True, exist_ok=True)
    try:
        _bootstrap(suite, half)
        _configure(half)
    except BaseException:
        drop_halves()
        raise
    half.rename(image)
    return image


def drop_halves() -> None:
    """Remove unfinished images, and stop the builders that a killed `up` left running."""
    processes.end_builders(layout.images())
    for half in layout.images().glob(f"{_HALF}*"):
        _remove(half)


def drop_old(suite: str, in_use: Collection[str], on_event: Observer) -> None:
    """Remove the suite's images of older recipes, except those `in_use` and those with layers.

    A failure to remove one is reported and does not stop the command.
    """
    kept = {f"{suite}-{recipe(suite)}", *in_use}
    for image in sorted(layout.images().glob(f"{suite}-*")):
        layered = "+" in image.name or any(layout.images().glob(f"{image.name}+*"))
        if image.name in kept or layered or image.is_symlink():
            continue
        on_event(_("removing the image {image}: its recipe has changed", image=image.name))
        try:
            _remove(image)
        except (ApplianceError, OSError) as error:
            on_event(_("{image} was not removed: {error}", image=image, error=error))


def recipe(suite: str) -> str:
    """A hash of everything that determines the image's content."""
    keys = [layout.ssh_key().with_suffix(".pub"), *sorted(layout.host_keys().glob("*.pub"))]
    trust = [_CA_BUNDLE] if _CA_BUNDLE.exists() else []
    files = [path.read_bytes() for path in (*keys, *trust)]
    words = "\n".join((_EDITION, suite, *PACKAGES, _APT))
    return hashlib.sha256(b"\n".join([words.encode(), *files])).hexdigest()[:12]


def ensure_keys() -> None:
    """Create the lab's ssh key and the host keys of its machines if they are missing."""
    layout.lab_root().mkdir(mode=0o700, parents=True, exist_ok=True)
    _ensure_key(layout.ssh_key(), "ucontact rehearsal machines")
    layout.host_keys().mkdir(mode=0o700, exist_ok=True)
    for kind in ("ed25519", "ecdsa"):
        _ensure_key(layout.host_keys() / f"ssh_host_{kind}_key", "rehearsal machine", kind)


def _ensure_key(path: Path, comment: str, kind: str = "ed25519") -> None:
    public = path.with_name(f"{path.name}.pub")
    if public.exists():  # written last: without it the key pair is incomplete
        return
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)])


def _bootstrap(suite: str, target: Path) -> None:
    run(
        [
            # A PID namespace: when this build ends, so does all that it started, dpkg and hooks
            # included, and its mounts are invisible to other processes.
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
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
    """Set up keys, resolver, CA certificates and network, as an operator would have done."""
    (root / "etc/apt/apt.conf.d/90lab").write_text(_APT)
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    public = layout.ssh_key().with_suffix(".pub").read_text()
    (ssh / "authorized_keys").write_text(public)
    for path in root.glob("etc/ssh/ssh_host_*"):
        path.unlink()
    for path in layout.host_keys().iterdir():
        shutil.copy2(path, root / "etc/ssh" / path.name)
    # Machines trust the CAs that the host trusts: a mirror behind a proxy may need it.
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    if _CA_BUNDLE.exists():
        shutil.copy2(_CA_BUNDLE, root / "etc/ssl/certs/ca-certificates.crt")
    copy_resolver(root)
    # Otherwise the host's own name would override --hostname once systemd is up.
    (root / HOSTNAME).unlink(missing_ok=True)
    run(["systemctl", "--root", str(root), "enable", "systemd-networkd.service", "ssh.service"])
    # A running rehearsal machine has its network at once: nothing to wait for.
    run(["systemctl", "--root", str(root), "mask", "systemd-networkd-wait-online.service"])


def copy_resolver(root: Path) -> None:
    """Copy the host's resolver; if that is systemd-resolved's stub, its upstream resolvers."""
    upstream = Path("/run/systemd/resolve/resolv.conf")
    stub = "127.0.0.53" in _RESOLVER.read_text()
    source = upstream if stub and upstream.exists() else _RESOLVER
    _put(root, "etc/resolv.conf", source.read_text())


def personalise(root: Path, name: str, address: str) -> None:
    """Write one machine's name and address to its own layer, the name last."""
    # Empty: systemd generates one, and does not treat this as a first boot (machine-id(5)).
    _put(root, "etc/machine-id", "")
    _put(root, "etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{address} {name}\n")
    network = _NETWORKD.format(
        address=f"{address}/{layout.NETWORK.prefixlen}", gateway=layout.GATEWAY
    )
    _put(root, _NETWORK_FILE, network)
    _put(root, HOSTNAME, f"{name}\n")


def is_personal(root: Path, name: str, address: str) -> bool:
    """Whether a layer below the machine already has this name and address."""
    try:
        named = (root / HOSTNAME).read_text(encoding="utf-8").strip()
        network = (root / _NETWORK_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return named == name and f"{address}/{layout.NETWORK.prefixlen}\n" in network


def pretend_ubuntu(root: Path, version: str) -> None:
    """Make /etc/os-release report this Ubuntu, with a note that the machine is Debian."""
    _put(
        root,
        "etc/os-release",
        f'PRETTY_NAME="Ubuntu {version} (a rehearsal machine made of Debian)"\nNAME="Ubuntu"\n'
        f'VERSION_ID="{version}"\nID=ubuntu\nID_LIKE=debian\n',
    )


def _put(root: Path, path: str, text: str) -> None:
    """Write one file of a machine; never through one of its links that points to the host."""
    target = root / path
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            _("{parent} is outside the machine", parent=target.parent),
            helps=f"ucontact lab reset {root.parent.name}",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    """Remove a folder unless something is mounted in it: a mount may be the host's."""
    inside = mounts_below(path)
    if inside:
        raise UnreachableError(
            _("{path} was not removed: {inside} is mounted there", path=path, inside=inside[0])
        )
    shutil.rmtree(path)


def mounts_below(path: Path) -> list[str]:
    """The mount points at or below the folder, deepest first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    mounts = [line.split()[4] for line in lines]
    real = path.resolve()
    return sorted((m for m in mounts if Path(m).is_relative_to(real)), reverse=True)
