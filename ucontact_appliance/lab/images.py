"""Base images: a fresh server of a Debian suite, made once and cached by its recipe."""

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
# Where a machine's own name lies, below its root.
HOSTNAME = "etc/hostname"
_NETWORK_FILE = "etc/systemd/network/10-host0.network"
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
# To be raised with every change of `_configure`: images are made anew then.
_EDITION = "2"
_BUILD_SECONDS = 600
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_RESOLVER = Path("/etc/resolv.conf")
# The newest suite's Release file can be past its date on a mirror that stands still. Lab only.
_APT = (
    'Acquire::Check-Valid-Until "false";\nAcquire::Retries "3";\nAPT::Install-Recommends "false";\n'
)
_NETWORKD = "[Match]\nName=host0\n\n[Network]\nAddress={address}\nGateway={gateway}\n"


def base_image(suite: str, on_event: Observer) -> Path:
    """The image's folder, made when it is not there yet. Raises UsageError for an unknown suite.

    The caller holds the lab's lock: what builds another image beside it would be taken for a rest.
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
    """Take away images that were never finished, and what a killed `up` left building them."""
    processes.end_builders(layout.images())
    for half in layout.images().glob(f"{_HALF}*"):
        _remove(half)


def drop_old(suite: str, in_use: Collection[str], on_event: Observer) -> None:
    """Take away the suite's images of older recipes, but those `in_use` and those with layers.

    One that does not go is told, and ends nothing.
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
            on_event(_("{image} stays: {error}", image=image, error=error))


def recipe(suite: str) -> str:
    """A hash of everything that decides what the image holds."""
    keys = [layout.ssh_key().with_suffix(".pub"), *sorted(layout.host_keys().glob("*.pub"))]
    trust = [_CA_BUNDLE] if _CA_BUNDLE.exists() else []
    files = [path.read_bytes() for path in (*keys, *trust)]
    words = "\n".join((_EDITION, suite, *PACKAGES, _APT))
    return hashlib.sha256(b"\n".join([words.encode(), *files])).hexdigest()[:12]


def ensure_keys() -> None:
    """The lab's own ssh key, and the host keys of its machines."""
    layout.lab_root().mkdir(mode=0o700, parents=True, exist_ok=True)
    _ensure_key(layout.ssh_key(), "ucontact rehearsal machines")
    layout.host_keys().mkdir(mode=0o700, exist_ok=True)
    for kind in ("ed25519", "ecdsa"):
        _ensure_key(layout.host_keys() / f"ssh_host_{kind}_key", "rehearsal machine", kind)


def _ensure_key(path: Path, comment: str, kind: str = "ed25519") -> None:
    public = path.with_name(f"{path.name}.pub")
    if public.exists():  # written last: without it the pair was cut off half-way
        return
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)])


def _bootstrap(suite: str, target: Path) -> None:
    run(
        [
            # A PID namespace: whatever ends this build ends all that it started, dpkg and hooks
            # included, and its mounts are seen by nobody else.
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
    (root / HOSTNAME).unlink(missing_ok=True)
    run(["systemctl", "--root", str(root), "enable", "systemd-networkd.service", "ssh.service"])
    # A rehearsal machine that is up is reachable: nothing to wait for.
    run(["systemctl", "--root", str(root), "mask", "systemd-networkd-wait-online.service"])


def copy_resolver(root: Path) -> None:
    """The host's resolver; where that is on the loopback, what systemd-resolved asks itself."""
    upstream = Path("/run/systemd/resolve/resolv.conf")
    stub = "127.0.0.53" in _RESOLVER.read_text()
    source = upstream if stub and upstream.exists() else _RESOLVER
    _put(root, "etc/resolv.conf", source.read_text())


def personalise(root: Path, name: str, address: str) -> None:
    """Name and address of one machine, written to its own layer, its name last."""
    # Empty: systemd makes one, and does not take this for a first boot with questions to ask.
    _put(root, "etc/machine-id", "")
    _put(root, "etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{address} {name}\n")
    network = _NETWORKD.format(
        address=f"{address}/{layout.NETWORK.prefixlen}", gateway=layout.GATEWAY
    )
    _put(root, _NETWORK_FILE, network)
    _put(root, HOSTNAME, f"{name}\n")


def is_personal(root: Path, name: str, address: str) -> bool:
    """Whether the machine has that name and address already, from a layer that it stands on."""
    try:
        named = (root / HOSTNAME).read_text(encoding="utf-8").strip()
        network = (root / _NETWORK_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return named == name and f"{address}/{layout.NETWORK.prefixlen}\n" in network


def pretend_ubuntu(root: Path, version: str) -> None:
    """Make /etc/os-release say Ubuntu: what it is stays Debian, and it says that too."""
    _put(
        root,
        "etc/os-release",
        f'PRETTY_NAME="Ubuntu {version} (a rehearsal machine made of Debian)"\nNAME="Ubuntu"\n'
        f'VERSION_ID="{version}"\nID=ubuntu\nID_LIKE=debian\n',
    )


def _put(root: Path, path: str, text: str) -> None:
    """Write one file of a machine, never through a link of its own that leads out to the host."""
    target = root / path
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            _("{parent} leads out of the machine", parent=target.parent),
            helps=f"ucontact lab reset {root.parent.name}",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    """Remove a folder that no file system is mounted in: what is mounted may be the host's."""
    inside = mounts_below(path)
    if inside:
        raise UnreachableError(
            _("{path} is left alone: {inside} is mounted there", path=path, inside=inside[0])
        )
    shutil.rmtree(path)


def mounts_below(path: Path) -> list[str]:
    """What is mounted at or below the folder, deepest first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    mounts = [line.split()[4] for line in lines]
    real = path.resolve()
    return sorted((m for m in mounts if Path(m).is_relative_to(real)), reverse=True)
