"""The portal as a program sees it, and the site behind it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.installed import Installed
from tests.e2e.phone import a_phone
from ucontact_appliance.clients.sip import SipServer

FQDN = "demo.ucontact.test"
API = "/Integra/resources"
ROOT = "/var/spool/asterisk/monitor"


@dataclass(frozen=True)
class Answer:
    """A response of the portal."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Portal:
    """The site, and its portal as a program sees it."""

    installed: Installed
    roots: str
    server: SipServer

    def ask(
        self, path: str, token: str = "", method: str = "GET", form: str = "", **headers: str
    ) -> Answer:
        """Send a request to the portal."""
        context = ssl.create_default_context(cafile=self.roots)
        plain = socket.create_connection((self.installed.machine.address, 443), 10)
        connection = http.client.HTTPConnection(FQDN)
        connection.sock = context.wrap_socket(plain, server_hostname=FQDN)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        if form:
            given["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, form or None, given)
        answer = connection.getresponse()
        found = Answer(answer.status, dict(answer.headers), answer.read())
        connection.close()
        return found

    def login(self, user: str, password: str) -> str:
        """The token of a user."""
        form = urllib.parse.urlencode({"user": user, "password": password})
        answer = self.ask(f"{API}/auth/UserLogin", method="POST", form=form)
        assert answer.status == 200, answer
        return str(json.loads(answer.body)["token"])

    def rows(self, query: str) -> list[list[str]]:
        """Of ccdata, as the database's administrator."""
        printed = self.installed.sh(f'mysql --batch --skip-column-names ccdata -e "{query}"')
        return [line.split("\t") for line in printed.splitlines()]

    def files(self) -> set[str]:
        """The recordings in the spool."""
        return set(self.installed.sh(f"find {ROOT} -type f -printf '%P\\n'").split())

    async def echo(self, seconds: float) -> None:
        """A call of 6001 to the echo test."""
        secret = self.installed.secret("telephony.extensions.6001")
        async with a_phone(self.server, "6001", secret) as phone:
            await phone.dial("*43", seconds=seconds)


def until(what: str, holds: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.5)
