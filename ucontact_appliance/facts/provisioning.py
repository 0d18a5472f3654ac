"""Whether the portal hands each hardphone its configuration, and nobody else (R13)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ucontact_appliance.clients.http import BasicLogin, HttpRequest, fetch
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.site.phones import PROVISIONING

# A MAC address for documentation (RFC 7042, 2.1.2): no phone has it.
_NOBODY = "00005e005300"
_AT_ONCE = 5


@dataclass(frozen=True)
class PhoneLogin:
    """A phone's MAC address, the file that it asks for, and its password."""

    mac: str
    file: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class PhoneAnswers:
    """Statuses of the phone's file: without a login, with its own, and with another phone's.

    `own_content` is whether the file was written for this phone's password. The file itself is full
    of secrets, and is not kept.
    """

    mac: str
    url: str
    anonymous: int
    own: int
    foreign: int
    own_content: bool


def phone_answers(
    reach: ProbeContext, phones: tuple[tuple[str, str, str], ...], roots: str
) -> tuple[PhoneAnswers, ...]:
    """Fetch each phone's file in three ways; `phones` are MAC, file and password.

    `roots` is a file of certificates that verify the portal's, as passwords are sent. Where there
    is one phone only, its login is tried at a path of a MAC address that does not exist.
    """
    known = [PhoneLogin(*phone) for phone in phones]
    nobody = PhoneLogin(_NOBODY, f"{_NOBODY}.cfg", "")
    others = [*known[1:], known[0]] if len(known) > 1 else [nobody] * len(known)

    def asked(pair: tuple[PhoneLogin, PhoneLogin]) -> PhoneAnswers:
        phone, other = pair
        login = BasicLogin(phone.mac, phone.password, roots)
        request = _request(reach, phone)
        own = fetch(request, login=login)
        return PhoneAnswers(
            mac=phone.mac,
            url=request.url,
            anonymous=fetch(request).status,
            own=own.status,
            foreign=fetch(_request(reach, other), login=login).status,
            own_content=phone.password in own.body,
        )

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(asked, zip(known, others, strict=True)))


def _request(reach: ProbeContext, phone: PhoneLogin) -> HttpRequest:
    return HttpRequest(reach.address, reach.site.fqdn, f"{PROVISIONING}{phone.file}")
