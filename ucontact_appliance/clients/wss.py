"""Open a secure WebSocket for SIP (R02, RFC 7118): the upgrade only, and nothing after it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ucontact_appliance.clients.tls import Endpoint
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _

_SECONDS = 6.0
_SIP = Subprotocol("sip")


@dataclass(frozen=True)
class Upgrade:
    """The server's answer: HTTP status (101 is success), subprotocol, and the problem, if any."""

    url: str
    status: int
    subprotocol: str
    problem: str = ""

    @property
    def evidence(self) -> str:
        """The exchange as one line."""
        spoken = f", subprotocol {self.subprotocol or 'none'}" if self.status == 101 else ""
        return f"{self.url}: HTTP {self.status}{spoken} {self.problem}".strip()


def upgrade(
    endpoint: Endpoint, path: str, roots: Path | None, seconds: float = _SECONDS
) -> Upgrade:
    """Open `wss://NAME:PORT/path` with subprotocol `sip`, its certificate verified, and close it.

    `roots` are the trusted roots in PEM, None the system's. Raises UnreachableError when no TLS or
    no HTTP answer came, TimeoutError after `seconds`.
    """
    return asyncio.run(_upgrade(endpoint, path, roots, seconds))


async def _upgrade(endpoint: Endpoint, path: str, roots: Path | None, seconds: float) -> Upgrade:
    url = f"wss://{endpoint.name}:{endpoint.port}{path}"
    try:
        context = ssl.create_default_context(cafile=roots)
        async with connect(
            url,
            host=endpoint.address,
            port=endpoint.port,
            ssl=context,
            server_hostname=endpoint.name,
            subprotocols=[_SIP],
            open_timeout=seconds,
            close_timeout=1,
            proxy=None,
        ) as socket:
            return Upgrade(url, 101, socket.subprotocol or "")
    except InvalidStatus as error:
        return Upgrade(url, error.response.status_code, "", str(error))
    except InvalidHandshake as error:
        return Upgrade(url, 101, "", str(error))
    except TimeoutError as error:
        raise TimeoutError(
            _("{url}: no answer within {seconds:g} s", url=url, seconds=seconds)
        ) from error
    except (OSError, WebSocketException) as error:
        raise UnreachableError(_("{url} can't be opened", url=url), evidence=str(error)) from error
