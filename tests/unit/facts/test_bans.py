"""Bans as fail2ban 0.11 and 1.1 and nftables tell them."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.bans import BanState, Target, parse_bans, parse_target

SETS = [
    f"{kind}-{family}" for kind in ("banned", "refused", "datagrams") for family in ("ip", "ip6")
]
_SINCE = {
    "sid": datetime(2026, 11, 28, 23, 10, 54, tzinfo=timezone.utc),
    "bullseye": datetime(2026, 11, 28, 23, 11, 3, tzinfo=timezone.utc),
}


@pytest.mark.parametrize("suite", ["sid", "bullseye"])
def test_each_jail_and_what_is_in_no_jail(suite: str) -> None:
    found = parse_bans(recorded(f"bans-{suite}"))
    assert found.error == ""
    assert [(ban.jail, ban.target.id, ban.standing) for ban in found.bans] == [
        ("sshd", "198.51.100.10", BanState.IN_FORCE),
        ("ucontact-asterisk", "198.51.100.9", BanState.IN_FORCE),
        # Its element was deleted by hand before this was recorded.
        ("ucontact-asterisk", "2001:db8::9", BanState.NOT_ENFORCED),
        ("ucontact-connection", "WSS/198.51.100.9/50123", BanState.IN_FORCE),
        ("ucontact-datagram", "203.0.113.80", BanState.IN_FORCE),
        ("", "203.0.113.5", BanState.LEFT_OVER),
        ("", "TCP/2001:db8::5/40000", BanState.LEFT_OVER),
        ("", "UDP/203.0.113.81", BanState.LEFT_OVER),
    ]
    ban = found.bans[1]
    assert ban.since == _SINCE[suite]
    assert ban.until is not None
    assert (ban.until - ban.since).total_seconds() == 3600


def changed(old: str, new: str) -> str:
    text = recorded("bans-sid")
    assert old in text
    return text.replace(old, new)


def test_the_servers_own_time_zone() -> None:
    found = parse_bans(changed("+0000", "-0300"))
    assert found.bans[1].since == datetime(2026, 11, 29, 2, 10, 54, tzinfo=timezone.utc)


@pytest.mark.parametrize("seconds", ["-1", "6" + "0" * 30])
def test_a_permanent_ban_has_no_end(seconds: str) -> None:
    end = f"+ {seconds} = 9999-12-31 23:59:59"
    ban = parse_bans(changed("+ 600 = 2026-11-28 23:20:57", end)).bans[0]
    assert (ban.since is None, ban.until) == (False, None)


def test_an_older_fail2ban_tells_no_times() -> None:
    line = "198.51.100.10 \t2026-11-28 23:10:57 + 600 = 2026-11-28 23:20:57\n"
    status = (
        "Status for the jail: sshd\n|- Filter\n|  `- Total failed:\t0\n`- Actions\n"
        "   |- Total banned:\t2\n   `- Banned IP list:\t198.51.100.10 2001:db8::7\n"
    )
    found = [ban for ban in parse_bans(changed(line, status)).bans if ban.jail == "sshd"]
    assert [ban.target.id for ban in found] == ["198.51.100.10", "2001:db8::7"]
    assert {(ban.since, ban.until) for ban in found} == {(None, None)}


def test_a_silent_fail2ban_and_a_missing_table_are_told() -> None:
    stopped = "Failed to access socket path: /var/run/fail2ban/fail2ban.sock. Is fail2ban running?"
    missing = "Error: No such file or directory\nlist set inet ucontact_sip banned-ip\n"
    sets = "".join(f"---- set {name}\n{missing}" for name in SETS)
    found = parse_bans(f"---- zone\n+0000\n---- jails\n{stopped}\n{sets}")
    assert found.bans == ()
    assert found.error.splitlines()[0] == f"fail2ban: {stopped}"
    assert "nftables set refused-ip6: Error: No such file or directory" in found.error


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("198.51.100.10 \t2026-11-28 23:10:57 + 600", "198.51.100.10 since yesterday"),
        ("2026-11-28 23:10:57 + 600", "2026-13-28 23:10:57 + 600"),
        ("198.51.100.10 \t", "9" * 300 + " \t"),
        ('"203.0.113.5"', '"not an address"'),
        ("40000", "400000"),
        ('{"nftables"', '{"nftables": ' + "[" * 100_000),
        ("+0000", "somewhere"),
    ],
)
def test_what_no_host_says_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_bans(changed(old, new))


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.7", "192.0.2.7", None),
        ("2001:DB8::7", "2001:db8::7", None),
        ("WSS/192.0.2.7/50123", "192.0.2.7", 50123),
        ("TLS/2001:db8:0::7/50123", "2001:db8::7", 50123),
        ("UDP/192.0.2.7", "192.0.2.7", None),
        ("UDP/192.0.2.7/50123", "192.0.2.7", 50123),
        ("UDP/192.0.2.700", "", None),
        ("192.0.2.0/24", "", None),
        ("WSS/192.0.2.7/0", "", None),
        ("WSS/192.0.2.700/5", "", None),
        ("192.0.2.0/24/x", "", None),
        ("somebody", "", None),
        ("fe80::1%eth0 }; flush ruleset", "", None),
    ],
)
def test_names_of_what_is_banned(text: str, address: str, port: int | None) -> None:
    found = parse_target(text)
    assert (found.id, found.address, found.port) == (text, address, port)


def test_an_address_stands_for_its_connections_and_not_the_other_way_round() -> None:
    address, other = parse_target("192.0.2.7"), parse_target("192.0.2.8")
    connection = parse_target("WSS/192.0.2.7/50123")
    assert address.covers(connection)
    assert not connection.covers(address)
    assert not other.covers(connection)
    # A set does not tell the protocol of a connection.
    assert parse_target("TCP/192.0.2.7/50123").covers(connection)
    assert not parse_target("WSS/192.0.2.7/50124").covers(connection)
    assert parse_target("2001:DB8::7").covers(parse_target("2001:db8::7"))
    datagrams = parse_target("UDP/192.0.2.7")
    assert address.covers(datagrams)
    assert not datagrams.covers(address)
    assert not datagrams.covers(connection)
    assert not Target("somebody").covers(Target("somebody else"))


def test_elements() -> None:
    assert parse_target("192.0.2.7").element == "banned-ip { 192.0.2.7 }"
    assert parse_target("2001:db8::7").element == "banned-ip6 { 2001:db8::7 }"
    assert parse_target("UDP/192.0.2.7").element == "datagrams-ip { 192.0.2.7 }"
    assert parse_target("UDP/2001:db8::7").element == "datagrams-ip6 { 2001:db8::7 }"
    assert parse_target("WSS/192.0.2.7/5").element == "refused-ip { 192.0.2.7 . 5 }"
    assert parse_target("WSS/2001:db8::7/5").element == "refused-ip6 { 2001:db8::7 . 5 }"
