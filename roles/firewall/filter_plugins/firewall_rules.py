"""Ansible filters: networks of the port registry as nftables matches. Run on the controller."""

import ipaddress


def firewall_matches(sources):
    """The source matches for `sources`, one per address family.

    An empty match means everybody. Overlapping networks are merged: nftables rejects overlaps.
    """
    matches = []
    networks = [ipaddress.ip_network(source) for source in sources]
    for version, word in ((4, "ip"), (6, "ip6")):
        merged = list(ipaddress.collapse_addresses(n for n in networks if n.version == version))
        if any(network.prefixlen == 0 for network in merged):
            matches.append(f"meta nfproto ipv{version} ")
        elif merged:
            matches.append(f"{word} saddr {{ {', '.join(str(n) for n in merged)} }} ")
    if all(match.startswith("meta") for match in matches) and len(matches) == 2:
        return [""]
    return matches


def firewall_uncovered(sessions, ports, ssh_port):
    """The ssh sessions ("ADDRESS PORT") that no entry of `ports` accepts, sorted.

    Each address must be able to reach the port of its session, and `ssh_port` for the next one.
    """
    wanted = {f"{session.split()[0]} {ssh_port}" for session in sessions} | set(sessions)
    return sorted(session for session in wanted if not _is_covered(session, ports))


def _is_covered(session, ports):
    address, port = session.split()
    source = ipaddress.ip_address(address)
    return source.is_loopback or any(
        entry["protocol"] == "tcp"
        and _holds(str(entry["port"]), int(port))
        and any(source in ipaddress.ip_network(network) for network in entry["sources"])
        for entry in ports
    )


def _holds(ports, port):
    first, _, last = ports.partition("-")
    return int(first) <= port <= int(last or first)


class FilterModule:
    """Entry point for Ansible."""

    def filters(self):
        """The filters by name."""
        return {
            "firewall_matches": firewall_matches,
            "firewall_uncovered": firewall_uncovered,
        }
