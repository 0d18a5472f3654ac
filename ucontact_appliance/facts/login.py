"""Whether telephony accepts an extension's secret; does not affect the extension's phone."""

from __future__ import annotations

import asyncio

from ucontact_appliance.clients.sip import SipAccount, SipRefusedError, SipServer, open_line
from ucontact_appliance.facts.call import sip_server
from ucontact_appliance.facts.source import ProbeContext


def login_status(reach: ProbeContext, number: str, secret: str, ca_file: str) -> int:
    """The final status of a REGISTER that registers nothing: 200, or 401 for a wrong secret.

    Asterisk logs a wrong secret, and several of them lead to a ban. Raises UnreachableError when it
    can't be reached, asyncio.TimeoutError when it does not answer.
    """
    account = SipAccount(reach.site.fqdn, number, secret)
    return asyncio.run(_asked(sip_server(reach, ca_file), account))


async def _asked(at: SipServer, account: SipAccount) -> int:
    async with open_line(at, account) as line:
        try:
            return (await line.bindings()).status
        except SipRefusedError as refused:
            return refused.status
