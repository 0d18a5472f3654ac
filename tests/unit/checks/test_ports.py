import pytest

from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.ports import (
    judge_free,
    judge_listening,
    judge_private,
    judge_unexpected,
)
from ucontact_appliance.facts.sockets import Listener
from ucontact_appliance.planning.ports import OpenPort, ports_for
from ucontact_appliance.planning.topology import make_plan

_PLAN = make_plan(small_site(), {})
_REGISTRY = ports_for(small_site(), _PLAN, _PLAN.hosts[0])
_HTTPS = next(port for port in _REGISTRY if port.id == "https")


def _listener(
    port: int, process: str = "", address: str = "0.0.0.0", protocol: str = "tcp"
) -> Listener:
    names = (process,) if process else ()
    return Listener(protocol, address, port, names, f"{protocol} {address}:{port} {process}")


@pytest.mark.parametrize(
    ("found", "verdict", "observed"),
    [
        ((_listener(443, "nginx"),), Verdict.PASS, "nginx listens on 0.0.0.0 port 443"),
        ((_listener(443, "nginx", "::"), _listener(443, "nginx")), Verdict.PASS, "::, 0.0.0.0"),
        ((), Verdict.FAIL, "nothing listens on tcp/443"),
        ((_listener(443, "nginx", protocol="udp"),), Verdict.FAIL, "nothing listens"),
        ((_listener(443, "apache2"),), Verdict.FAIL, "apache2 listens on tcp/443"),
        ((_listener(443, "nginx", "127.0.0.1"),), Verdict.FAIL, "loopback only"),
        # A listener whose holder is not shown (a container's) is no stranger.
        ((_listener(443),), Verdict.PASS, "port 443"),
    ],
)
def test_listening(found: tuple[Listener, ...], verdict: Verdict, observed: str) -> None:
    judged = judge_listening(_HTTPS, found, ("nginx",))
    assert judged.verdict is verdict
    assert observed in judged.observed


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (_listener(5038, "asterisk", "127.0.0.1"), Verdict.PASS),
        (_listener(5038, "asterisk"), Verdict.FAIL),
        (_listener(8080, "java", "*"), Verdict.FAIL),
        (_listener(3306, "mysqld", "::1"), Verdict.PASS),
    ],
)
def test_private(found: Listener, verdict: Verdict) -> None:
    assert judge_private(_REGISTRY, (found,)).verdict is verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (_listener(443, "nginx"), Verdict.PASS),
        (_listener(10022, "asterisk", protocol="udp"), Verdict.PASS),  # a call's media
        (_listener(40388, "asterisk", protocol="udp"), Verdict.PASS),  # asks others from there
        (_listener(40388, "nc", protocol="udp"), Verdict.WARN),
        (_listener(40388, "asterisk"), Verdict.WARN),
        (_listener(68, "dhclient", protocol="udp"), Verdict.PASS),
        (_listener(25, "master"), Verdict.WARN),
        (_listener(25, "master", "127.0.0.1"), Verdict.PASS),
    ],
)
def test_unexpected(found: Listener, verdict: Verdict) -> None:
    assert judge_unexpected(_REGISTRY, (found,)).verdict is verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (_listener(80, "nginx"), Verdict.PASS),
        (_listener(80, "apache2"), Verdict.FAIL),
        (_listener(80), Verdict.FAIL),
        (_listener(22, "systemd"), Verdict.PASS),
        (_listener(25, "master"), Verdict.PASS),
    ],
)
def test_ports_are_free_before_the_installation(found: Listener, verdict: Verdict) -> None:
    assert judge_free(_REGISTRY, (found,)).verdict is verdict


def test_a_database_for_other_hosts_may_not_hide_on_the_loopback() -> None:
    port = OpenPort("mysql", "tcp", "3306", ("192.0.2.1/32",), "database")
    found = (_listener(3306, "mysqld", "127.0.0.1"),)
    assert judge_listening(port, found, ("mysqld",)).verdict is Verdict.FAIL
