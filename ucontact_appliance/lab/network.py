"""The lab's bridge, its masquerade rule and the one sysctl that it changes."""

from __future__ import annotations

import time
from pathlib import Path

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.commands import run, succeeds
from ucontact_appliance.language.messages import _

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_PORTS_SECONDS = 3.0
_SET_BY_HAND = "3"  # NET_ADDR_SET (linux/netdevice.h)
_RULES = """\
table ip {table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {network} ip daddr != {network} masquerade
  }}
}}
"""


def bring_up() -> None:
    """Create bridge, forwarding and masquerading; keep what exists."""
    if not bridge_exists():
        _refuse_foreign_route()
        run(["ip", "link", "add", layout.BRIDGE, "type", "bridge"])
    _keep_mac()
    # Also on an existing bridge: a killed `up` may have left it without its address.
    address = f"{layout.GATEWAY}/{layout.NETWORK.prefixlen}"
    run(["ip", "address", "replace", address, "dev", layout.BRIDGE])
    run(["ip", "link", "set", layout.BRIDGE, "up"])
    if _FORWARDING.read_text().strip() == "0":
        layout.saved_forwarding().write_text("0")
        _FORWARDING.write_text("1")
    if not succeeds(["nft", "list", "table", "ip", layout.NFT_TABLE]):
        rules = _RULES.format(table=layout.NFT_TABLE, network=layout.NETWORK)
        run(["nft", "-f", "-"], stdin=rules)


def tear_down() -> None:
    """Remove exactly what `bring_up` created, or nothing while a machine is on the bridge.

    Such a machine belongs to another lab folder (UCONTACT_VAR), which shares the network.
    """
    if _in_use():
        return
    if bridge_exists():
        run(["ip", "link", "delete", layout.BRIDGE])
    if succeeds(["nft", "list", "table", "ip", layout.NFT_TABLE]):
        run(["nft", "delete", "table", "ip", layout.NFT_TABLE])
    saved = layout.saved_forwarding()
    if saved.exists():
        _FORWARDING.write_text(saved.read_text())
        saved.unlink()


def _keep_mac() -> None:
    """Fix the bridge's MAC address, which otherwise follows the lowest one of its ports.

    When a machine came or went, the address changed and the other machines kept using the old one:
    for up to five seconds (arp(7), delay_first_probe_time) their packets did not reach the host.
    """
    bridge = Path(f"/sys/class/net/{layout.BRIDGE}")
    if (bridge / "addr_assign_type").read_text().strip() != _SET_BY_HAND:
        mac = (bridge / "address").read_text().strip()
        run(["ip", "link", "set", layout.BRIDGE, "address", mac])


def forget_neighbour(address: str) -> None:
    """Flush the host's ARP entry of the machine that had this address before."""
    run(["ip", "neighbour", "flush", "to", address, "dev", layout.BRIDGE])


def bridge_exists() -> bool:
    """Whether the lab's bridge exists."""
    return Path(f"/sys/class/net/{layout.BRIDGE}").exists()


def _in_use() -> bool:
    """Whether the bridge keeps a port; the port of a machine that just ended goes in a moment."""
    ports = Path(f"/sys/class/net/{layout.BRIDGE}/brif")
    deadline = time.monotonic() + _PORTS_SECONDS
    while ports.is_dir() and any(ports.iterdir()):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False


def _refuse_foreign_route() -> None:
    """Raise UnreachableError if this host already routes the lab's range."""
    taken = run(["ip", "route", "show", "root", str(layout.NETWORK)]).strip()
    if taken:
        raise UnreachableError(
            _("the lab's range {network} is in use on this machine", network=layout.NETWORK),
            evidence=taken,
        )
