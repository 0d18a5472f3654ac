"""Keep a rehearsal machine away from given addresses, and from all but what it needs.

The rules are kept in the machine's folder: they are applied before each boot, and are removed with
the machine.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ucontact_appliance.lab.commands import run, succeeds
from ucontact_appliance.site.files import write_atomic

_FILE = "isolation.nft"
_FAMILIES = ("ip", "bridge")


def isolate(
    folder: Path,
    address: str,
    blocked: Collection[str],
    allowed: Collection[tuple[str, int]],
) -> None:
    """Let the machine in this folder reach DNS and these TCP endpoints only, and none of `blocked`.

    It answers this host, but opens no connection to it; other machines of the lab and `blocked`
    addresses exchange no packet with it.
    """
    write_atomic(folder / _FILE, rules(folder.name, address, blocked, allowed))
    apply(folder)


def apply(folder: Path) -> None:
    """Apply the machine's rules, if it has any; in one step, in place of those there are."""
    path = folder / _FILE
    if path.exists():
        made = "".join(f"table {family} {_table(folder.name)}\n" for family in _FAMILIES)
        gone = "".join(f"delete table {family} {_table(folder.name)}\n" for family in _FAMILIES)
        run(["nft", "-f", "-"], stdin=made + gone + path.read_text(encoding="utf-8"))


def lift(folder: Path) -> None:
    """Remove the rules of a machine that has ended."""
    if not (folder / _FILE).exists():
        return
    for family in _FAMILIES:
        words = ["table", family, _table(folder.name)]
        if succeeds(["nft", "list", *words]):
            run(["nft", "delete", *words])


def rules(
    name: str, address: str, blocked: Collection[str], allowed: Collection[tuple[str, int]]
) -> str:
    """Return the machine's rules for nft(8). Addresses are IPv4, as all of the lab."""
    wanted = "".join(
        f"    ip daddr {there} tcp dport {port} accept\n" for there, port in sorted(allowed)
    )
    site = ", ".join(sorted(blocked))
    to_site = f"    ip daddr {{ {site} }} counter drop\n" if blocked else ""
    from_site = f"    ip saddr {{ {site} }} ip daddr {address} counter drop\n" if blocked else ""
    return f"""\
table ip {_table(name)} {{
  chain limits {{
    ct state established,related accept
{to_site}    meta l4proto {{ tcp, udp }} th dport 53 accept
{wanted}    counter drop
  }}
  chain forward {{
    type filter hook forward priority filter - 10;
    ip saddr {address} jump limits
{from_site}  }}
  chain input {{
    type filter hook input priority filter - 10;
    ip saddr {address} jump limits
  }}
}}
table bridge {_table(name)} {{
  chain forward {{
    type filter hook forward priority filter;
    ether type ip ip saddr {address} counter drop
    ether type ip ip daddr {address} counter drop
    ether type arp arp saddr ip {address} counter drop
    ether type arp arp daddr ip {address} counter drop
  }}
}}
"""


def _table(name: str) -> str:
    return f"ucontact_lab_{name.replace('-', '_')}"
