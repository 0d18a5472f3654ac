"""Whether telephony takes an extension's secret, asked without disturbing the extension's phone."""

from __future__ import annotations

import asyncio

from ucontact_appliance.clients.sip import Account, SipRefusedError, SipServer, open_line
from ucontact_appliance.facts.call import door
from ucontact_appliance.facts.source import Reach


def login_status(reach: Reach, number: str, secret: str, ca_file: str) -> int:
    """The final answer to a REGISTER that registers nothing: 200, or 401 for a wrong secret.

    Asterisk counts a wrong secret, and bans who sends several. Raises UnreachableError when there
    is no way to it, asyncio.TimeoutError when it gives no answer.
    """
    account = Account(reach.site.fqdn, number, secret)
    return asyncio.run(_asked(door(reach, ca_file), account))


async def _asked(at: SipServer, account: Account) -> int:
    async with open_line(at, account) as line:
        try:
            return (await line.bindings()).status
        except SipRefusedError as refused:
            return refused.status
