"""Ports knocked at from here; ssh's is known by the connection that is there."""

from __future__ import annotations

import socket

from tests.unit.checks.subjects import FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance.facts.firewall import PortProbe, PortState, knocks
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import ProbeContext


def test_nobody_connects_to_sshs_port_without_logging_in() -> None:
    asked: list[tuple[str, ...]] = []

    def answer(argv: object) -> Completed:
        asked.append(tuple(argv))  # type: ignore[call-overload]
        return Completed((), 0, "", "", 0.0)

    with (
        socket.create_server(("127.0.0.1", 0)) as ssh,
        socket.create_server(("127.0.0.1", 0)) as web,
    ):
        ports = tuple(server.getsockname()[1] for server in (ssh, web))
        site = small_site(hosts=[{"name": "one", "address": "127.0.0.1", "port": ports[0]}])
        found = knocks(ProbeContext(site, site.hosts[0], FakeRunner(answer)), ports)
        ssh.setblocking(False)
        web.accept()[0].close()
        try:
            ssh.accept()
        except BlockingIOError:
            came = False
        else:
            came = True
    assert found == tuple(PortProbe(port, PortState.OPEN) for port in ports)
    assert asked == [("true",)]
    assert not came
