"""A contact centre to call: its site with a telephony section, and a provider of two trunks.

The provider is this machine at an address of its own, as Asterisk knows a trunk by its address: two
trunks at two ports, so that one can be out of order.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.installed import Installed
from tests.e2e.phone import a_phone
from tests.e2e.provider import Provider, provider
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.lab import layout

RECORDINGS = "/var/spool/asterisk/monitor"


def _tone(path: Path, seconds: float = 3.0) -> None:
    """A WAV file with 880 Hz as Asterisk takes it."""
    period = [0, 12000, 17000, 12000, 0, -12000, -17000, -12000, 0]
    samples = (period * int(seconds * 8000 / len(period)))[: int(seconds * 8000)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(one.to_bytes(2, "little", signed=True) for one in samples))


@dataclass(frozen=True)
class Centre:
    """The site with its telephony section installed, and both ports of its provider."""

    installed: Installed
    server: SipServer
    first: Provider
    second: Provider
    screen: str

    def quiet(self) -> None:
        """No call of an earlier test, and both trunks answer."""
        for one in (self.first, self.second):
            one.status = 200
            one.forget()
        up = "0 active channels"
        until("a call stays up", lambda: up in self.asterisk("core show channels"))

    def phone(self, number: str) -> Any:
        return a_phone(self.server, number, self.installed.secret(f"telephony.extensions.{number}"))

    def asterisk(self, command: str) -> str:
        return self.installed.sh(f"asterisk -rx '{command}'")

    def rows(self, query: str) -> list[list[str]]:
        """Of ccdata, as the database's administrator."""
        printed = self.installed.sh(f'mysql --batch --skip-column-names ccdata -e "{query}"')
        return [line.split("\t") for line in printed.splitlines()]

    def recordings(self) -> set[str]:
        found = self.installed.sh(f"find {RECORDINGS} -name '*.gsm' -size +1k -printf '%P\\n'")
        return set(found.split())


def until(what: str, holds: Any, seconds: float = 20.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.3)


@contextmanager
def a_centre(
    installed: Installed,
    small_site: Snapshot,
    section: dict[str, Any],
    address: str,
    ports: tuple[int, int],
    *,
    passwords: Mapping[str, str] | None = None,
    waived: Sequence[str] = (),
) -> Iterator[Centre]:
    """The small site with that section and an announcement `closed.wav`, installed.

    `passwords` are those of trunks, by the trunk's name; `waived` are checks that fail by intent.
    """
    secrets = small_site.paths.secrets.read_bytes()
    text = small_site.site_file.read_text(encoding="utf-8")
    _tone(small_site.folder / "closed.wav")
    waivers = [{"check": one, "reason": "a test", "until": "2099-01-01"} for one in waived]
    small_site.site_file.write_text(
        f"{text}telephony: {json.dumps(section)}\nwaivers: {json.dumps(waivers)}\n"
    )
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", layout.BRIDGE], check=True)
    try:
        with provider(address, ports[0]) as first, provider(address, ports[1]) as second:
            for name, password in (passwords or {}).items():
                _set_password(installed, name, password)
            done = installed.ucontact("install", "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            roots = str(small_site.paths.pki / "portal-ca.pem")
            server = SipServer("demo.ucontact.test", small_site.machine.address, 8089, "/ws", roots)
            yield Centre(installed, server, first, second, done.stdout + done.stderr)
    finally:
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", layout.BRIDGE], check=True)
        small_site.site_file.write_text(text)
        small_site.paths.secrets.write_bytes(secrets)


def _set_password(installed: Installed, trunk: str, password: str) -> None:
    words = ["secrets", "set", f"telephony.trunks.{trunk}", "--site", str(installed.site_file)]
    done = subprocess.run(
        [sys.executable, "-m", "ucontact_appliance", *words],
        env=installed.environment,
        input=password,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
