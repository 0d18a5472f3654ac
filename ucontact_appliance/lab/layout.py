"""Paths of the lab's files, and the names of its bridge and other objects on the host."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from ucontact_appliance.state import var_root

# The private range of all rehearsal machines; the bridge has its first address.
NETWORK = ipaddress.IPv4Network("10.203.17.0/24")
BRIDGE = "ucontact-lab"
NFT_TABLE = "ucontact_lab"
MACHINE_PREFIX = "ucontact-"
GATEWAY = NETWORK[1]
FIRST_MACHINE = 10


def lab_root() -> Path:
    """The lab's own folder: all its files are below it."""
    return var_root() / "lab"


def images() -> Path:
    """Cached base images, and layers frozen from machines."""
    return lab_root() / "images"


def machines() -> Path:
    """The folder with one subfolder per machine."""
    return lab_root() / "machines"


def ssh_key() -> Path:
    """The private key that every rehearsal machine accepts."""
    return lab_root() / "key"


def host_keys() -> Path:
    """The machines' ssh host keys.

    All machines share them: a machine recreated under an old address still matches the key that
    a site has pinned.
    """
    return lab_root() / "host-keys"


def saved_forwarding() -> Path:
    """File with the value of net.ipv4.ip_forward before the lab changed it.

    It is in /run, because a reboot of the host removes both the change and the need to undo it.
    """
    return Path(f"/run/{BRIDGE}.ip_forward.before")


def lab_lock() -> Path:
    """Lock held while this folder's machines or images are changed."""
    return lab_root() / "lock"


def bridge_lock() -> Path:
    """Lock held while the bridge changes, or while a chosen address is not in use yet.

    One lock for all lab folders, which share the bridge.
    """
    return Path(f"/run/{BRIDGE}.lock")
