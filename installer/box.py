"""`make box`: package the lab's base image as a box for vagrant-lxc.

Such a box is a tar of metadata.json, lxc-config and rootfs.tar.gz (vagrant-lxc's own BOXES.md).
It adds to the lab's image what every Vagrant box has: a user `vagrant` with sudo, who accepts
Vagrant's published key until `vagrant up` replaces it with a key of the machine's own.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.commands import run
from ucontact_appliance.resources import ROOT, load_data

USER = "vagrant"
# The public half of the key in every Vagrant installation.
PUBLISHED_KEY = "keys/vagrant.pub"
# systemd as init needs its own signal to halt.
LXC_CONFIG = "lxc.include = /usr/share/lxc/config/common.conf\nlxc.signal.halt = SIGRTMIN+4\n"
_PACK_SECONDS = 600


def published_key() -> str:
    """The public key of the installed Vagrant. Raises ApplianceError if there is none."""
    places = sorted(
        Path("/").glob(f"usr/share/rubygems-integration/*/gems/vagrant-*/{PUBLISHED_KEY}")
    )
    places += sorted(Path("/").glob(f"opt/vagrant/embedded/gems/gems/vagrant-*/{PUBLISHED_KEY}"))
    if not places:
        raise ApplianceError(
            "Vagrant's published key was not found",
            evidence=f"no gem of Vagrant with {PUBLISHED_KEY} below /usr/share or /opt/vagrant",
            helps="apt-get install vagrant-lxc",
        )
    return places[-1].read_text(encoding="utf-8")


def add_user(root: Path, key: str) -> None:
    """Add the user that Vagrant logs in as, and the line that it expects in /etc/hosts."""
    run(["useradd", "--root", str(root), "--create-home", "--shell", "/bin/bash", USER])
    home = (root / "home" / USER).stat()
    ssh = root / "home" / USER / ".ssh"
    ssh.mkdir(mode=0o700)
    keys = ssh / "authorized_keys"
    keys.write_text(key, encoding="utf-8")
    keys.chmod(0o600)
    for path in (ssh, keys):
        os.chown(path, home.st_uid, home.st_gid)
    sudo = root / "etc/sudoers.d" / USER
    sudo.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n", encoding="utf-8")
    sudo.chmod(0o440)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")


def forget_lab(root: Path) -> None:
    """Remove the lab's own keys: a box can be read by anybody, and they open other machines."""
    shutil.rmtree(root / "root/.ssh")
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    run(["ssh-keygen", "-q", "-A", "-f", str(root)])


def pack(image: Path, box: Path) -> None:
    """Write the box of an image, which is not changed; the box appears when it is complete."""
    box.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".box-", dir=box.parent) as folder:
        work = Path(folder)
        work.chmod(0o700)
        root = work / "rootfs"
        run(["cp", "--archive", "--reflink=auto", str(image), str(root)], timeout=_PACK_SECONDS)
        forget_lab(root)
        add_user(root, published_key())
        # Each machine generates its own: with a shared one, a DHCP server would see one machine.
        (root / "etc/machine-id").write_text("", encoding="utf-8")
        (work / "metadata.json").write_text(
            json.dumps({"provider": "lxc", "version": "1.0.0"}) + "\n", encoding="utf-8"
        )
        (work / "lxc-config").write_text(LXC_CONFIG, encoding="utf-8")
        # vagrant-lxc unpacks with --strip-components=2: "./rootfs/etc" has two to strip.
        tar = ["tar", "--directory", str(work)]
        whole = [*tar, "--numeric-owner", "--xattrs", "--use-compress-program=gzip -1"]
        run(
            [*whole, "--create", f"--file={work / 'rootfs.tar.gz'}", "./rootfs"],
            timeout=_PACK_SECONDS,
        )
        half = work / "half.box"
        parts = ("./metadata.json", "./lxc-config", "./rootfs.tar.gz")
        run([*tar, "--create", f"--file={half}", *parts], timeout=_PACK_SECONDS)
        shutil.move(half, box)


def main() -> int:
    """Make the box that the Vagrantfile names; return 0, or the exit code of the error."""
    table = load_data("rehearsal")["vagrant"]["lxc"]
    box = ROOT / table["file"]
    try:
        pack(machines.base_image(table["suite"], print), box)
    except ApplianceError as error:
        print(*filter(None, (error.what, error.evidence, error.helps)), sep="\n", file=sys.stderr)
        return error.exit_code
    print(f"{box}\n\n  next   SIZE=small vagrant up --provider lxc")
    print(f"  an older one that Vagrant knows already: vagrant box remove {table['box']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
