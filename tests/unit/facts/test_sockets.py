from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.sockets import parse_listeners


def test_listeners_of_a_telephony_server() -> None:
    found = {(one.protocol, one.port): one for one in parse_listeners(recorded("listeners-sid"))}
    assert found["tcp", 8089].processes == ("asterisk",)
    assert not found["tcp", 8089].loopback
    assert found["tcp", 5038].loopback
    assert found["udp", 5060].address == "0.0.0.0"
    assert found["udp", 52735].address == "::"


def test_a_server_before_the_installation_has_ssh_only() -> None:
    found = parse_listeners(recorded("listeners-bullseye"))
    assert {(one.protocol, one.port) for one in found} == {("tcp", 22)}


def test_scopes_wildcards_and_unknown_holders() -> None:
    text = (
        'udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=1,fd=1))\n'
        "tcp LISTEN 0 128 *:443 *:*\n"
        'tcp LISTEN 0 9 [::1]:80 [::]:* users:(("nginx",pid=1,fd=1),("nginx",pid=2,fd=1))\n'
    )
    resolver, wildcard, six = parse_listeners(text)
    assert resolver.loopback
    assert (wildcard.address, wildcard.loopback, wildcard.processes) == ("*", False, ())
    assert (six.address, six.loopback, six.processes) == ("::1", True, ("nginx",))
