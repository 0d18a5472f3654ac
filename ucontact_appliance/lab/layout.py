"""Where the lab keeps things, and the names under which it appears on the host."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from ucontact_appliance.state import var_root

# The one private range of rehearsal machines; the bridge has its first address.
NETWORK = ipaddress.IPv4Network("10.203.17.0/24")
BRIDGE = "ucontact-lab"
NFT_TABLE = "ucontact_lab"
MACHINE_PREFIX = "ucontact-"
GATEWAY = NETWORK[1]
FIRST_MACHINE = 10


def lab_root() -> Path:
    """The lab's own folder: everything it makes lies below it."""
    return var_root() / "lab"


def images() -> Path:
    """Cached base images, and layers frozen from machines."""
    return lab_root() / "images"


def machines() -> Path:
    """A folder a machine."""
    return lab_root() / "machines"


def ssh_key() -> Path:
    """The private key that every rehearsal machine lets in."""
    return lab_root() / "key"


def host_keys() -> Path:
    """The machines' ssh host keys.

    All machines share them, so that one made anew under an old address is not taken for an
    impostor by a site that has pinned its key.
    """
    return lab_root() / "host-keys"


def saved_forwarding() -> Path:
    """The value of net.ipv4.ip_forward before the lab changed it.

    In /run, because a reboot of the host takes both the change and the need to undo it away.
    """
    return Path(f"/run/{BRIDGE}.ip_forward.before")


def lab_lock() -> Path:
    """Held while this folder's machines or images are changed."""
    return lab_root() / "lock"


def bridge_lock() -> Path:
    """Held while the bridge is changed, or an address on it is chosen and not yet answered for.

    One for all lab folders, which share the bridge.
    """
    return Path(f"/run/{BRIDGE}.lock")
