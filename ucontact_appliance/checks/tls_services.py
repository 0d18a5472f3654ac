"""The TLS services that are checked, and the versions, ciphers and curves they are offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ucontact_appliance.checks.model import Subject
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.component_tables import registered_port
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("tls")
PROTOCOLS: tuple[str, ...] = tuple(_TABLE["protocols"])
# Offered to every service: all versions, starting with those that it must refuse, and the groups
# of TLS 1.2 ciphers that it must refuse, by title and OpenSSL cipher string.
OFFERED_VERSIONS: tuple[str, ...] = (*_TABLE["refused_protocols"], *PROTOCOLS)
WEAK_CIPHERS = tuple((row["title"], row["ciphers"]) for row in _TABLE["refused_ciphers"])
CIPHERS: tuple[str, ...] = tuple(_TABLE["ciphers"])
CURVES: tuple[str, ...] = tuple(row["name"] for row in _TABLE["curves"])


@dataclass(frozen=True)
class TlsService:
    """A TLS service: its id in the port registry, its title, and what its checks need."""

    id: str
    title: str
    role: Role
    requirement: str
    needs: tuple[str, ...]
    answers: str  # the check that it answers at all, which the others need
    least: tuple[str, ...] = PROTOCOLS  # versions that it must support
    alpn: str = ""  # the negotiated protocol (RFC 7301); empty if none is
    offered_alpn: tuple[str, ...] = ()

    @property
    def leading(self) -> str:
        """The title with a capital letter, to begin a sentence."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def port(self) -> int:
        """The port's number in the port registry."""
        return registered_port(self.id)


SERVICES = (
    TlsService(
        id="https",
        title=_("the portal (443)"),
        role=Role.BACKEND,
        requirement="R01",
        alpn="h2",
        offered_alpn=("h2", "http/1.1"),
        needs=("web.service", "ports.https", "web.sites"),
        answers="web.answers",
    ),
    TlsService(
        id="wss",
        title=_("signalling (8089)"),
        role=Role.TELEPHONY,
        requirement="R02",
        # A WebSocket is upgraded from HTTP/1.1, which a server without ALPN uses too (RFC 7301).
        alpn="http/1.1",
        offered_alpn=("http/1.1",),
        needs=("ports.wss", "asterisk.sessions-free", "asterisk.banned"),
        answers="wss.answers",
    ),
    TlsService(
        id="sip-tls",
        title=_("SIP TLS (5061)"),
        role=Role.TELEPHONY,
        requirement="R04",
        # PJSIP reads key and certificate from disk at each connection.
        needs=("asterisk.service", "ports.sip-tls", "asterisk.banned", "certificates.portal"),
        least=("TLSv1.2",),  # PJSIP supports one version at a time
        answers="tls.sip-tls.answers",
    ),
    TlsService(
        id="turn-tls",
        title=_("TURN over TLS (5349)"),
        role=Role.TELEPHONY,
        requirement="R03",
        needs=("ports.turn-tls", "stun.binding"),
        least=("TLSv1.2",),  # coturn 4.5, of Debian 11, supports no newer one
        answers="tls.turn-tls.answers",
    ),
)


def roots_file(subject: Subject) -> str:
    """Return the file on this machine with the roots that verify the portal's certificate."""
    return str(subject.state.pki / "portal-ca.pem")
