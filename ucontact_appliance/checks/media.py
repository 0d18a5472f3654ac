"""Checks of the STUN server that media uses (R03), and of transcoding (R05)."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from typing import Any

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.wording import INSTALL
from ucontact_appliance.clients.http import Response
from ucontact_appliance.facts.asterisk import snapshot
from ucontact_appliance.facts.media import Transcoding, parse_stun, transcoding
from ucontact_appliance.facts.web import page
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import NetworkProfile

_CONFIG = "/uContact/config.json"
_STUN_PORT = 3478  # RFC 7064: the default port of a URI
_STUN_URI = re.compile(r"stuns?:(\[[^\]]+\]|[^:?]+)(?::(\d+))?")
_RECORDED_AS = "gsm"  # R05, R25: recordings are .gsm, and are played back
_CODECS = tuple(dict.fromkeys((*load_data("network")["codecs"]["audio"], _RECORDED_AS)))
# Whether and why Asterisk itself asks the STUN server, per network profile.
_DECISIONS = {
    NetworkProfile.PUBLIC: _("profile public: Asterisk uses the site's STUN server, {server}"),
    NetworkProfile.LAN: _(
        "profile lan: Asterisk uses no STUN server; agents reach its own address, and "
        "a STUN server that does not respond would delay every call"
    ),
    NetworkProfile.NAT: _(
        "profile nat: Asterisk uses no STUN server, because it is behind the same "
        "router; the router's address is configured instead"
    ),
}


def _same_host(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one.strip("[]")) == ipaddress.ip_address(other.strip("[]"))
    except ValueError:
        return one.lower() == other.lower()


def stun_servers(config: Any) -> tuple[tuple[str, int], ...] | None:
    """Return host and port of each STUN server of a softphone's configuration; None if not ours."""
    if not isinstance(config, dict) or not isinstance(config.get("iceServers"), list):
        return None
    urls: list[Any] = []
    for server in config["iceServers"]:
        named = server.get("urls", []) if isinstance(server, dict) else []
        urls += named if isinstance(named, list) else [named]
    found = (_STUN_URI.fullmatch(url) for url in urls if isinstance(url, str))
    return tuple((one[1].strip("[]"), int(one[2] or _STUN_PORT)) for one in found if one)


def judge_ice(config: Response, host: str, port: int) -> Judgement:
    """Require that softphones get the site's own STUN server, and no other (R03)."""
    required = _(
        "{path} names only the site's STUN server, {host} port {port}",
        path=config.request.path,
        host=host,
        port=port,
    )
    try:
        servers = stun_servers(json.loads(config.body)) if config.status == 200 else None
    except ValueError:
        servers = None
    if servers is None:
        told = _(
            "{path}: {status}, without iceServers", path=config.request.path, status=config.status
        )
        return failed(told, required, config.evidence)
    ours = [one for one in servers if _same_host(one[0], host) and one[1] == port]
    others = joined(
        ", ",
        (
            _("{name} port {number}", name=name, number=number)
            for name, number in servers
            if (name, number) not in ours
        ),
    )
    if not ours:
        return failed(
            _("names {others}", others=others) if others else _("names no STUN server"),
            required,
            config.evidence,
        )
    if others:
        return warned(_("names {others} as well", others=others), required, config.evidence)
    return passed(_("{host} port {port}", host=host, port=port), required, config.evidence)


@check(
    id="web.ice",
    title=_("Softphones get the site's STUN server"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.portal",),
)
def _ice(subject: Subject) -> Judgement:
    address, port = _stun_server(subject, for_agents=True)
    return judge_ice(subject.facts.get(page, _CONFIG), address, port)


def judge_stun(found: str | None, profile: NetworkProfile, ours: str, evidence: str) -> Judgement:
    """Require that Asterisk asks the site's STUN server if its own address is not enough (R03)."""
    required = _DECISIONS[profile].filled(server=ours)
    if found is None:
        return skipped(_("this Asterisk does not show its STUN server"), required, evidence)
    asked = _("uses {found}", found=found) if found else _("uses none")
    host, __, port = found.rpartition(":")
    is_ours = _same_host(host, ours.rpartition(":")[0]) and port == ours.rpartition(":")[2]
    if profile is NetworkProfile.PUBLIC:
        return (passed if is_ours else failed)(asked, required, evidence)
    if found and not is_ours:
        return warned(_("{asked}, which is not the site's", asked=asked), required, evidence)
    return passed(asked, required, evidence)


@check(
    id="asterisk.stun",
    title=_("Asterisk uses the STUN server of the network profile"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{install}",
    role=Role.TELEPHONY,
    needs=("asterisk.service", "asterisk.modules.media"),
    timeout=15.0,
)
def _stun(subject: Subject) -> Judgement:
    address, port = _stun_server(subject, for_agents=False)
    text = subject.facts.get(snapshot).texts.get("rtp", "")
    profile = subject.site.network.profile
    return judge_stun(parse_stun(text), profile, f"{address}:{port}", text)


def _stun_server(subject: Subject, *, for_agents: bool) -> tuple[str, int]:
    """Return the STUN server's address and port; behind a router, the router's for agents."""
    host = subject.plan.carriers(Role.TELEPHONY)[0]
    rows = ports_for(subject.site, subject.plan, host)
    port = next(row.first for row in rows if row.id == "stun-udp")
    router = subject.site.network.public_address if for_agents else None
    return router or host.peer_address, port


def judge_transcoding(found: Transcoding) -> Judgement:
    """Require a translation between any two voice codecs, the recordings' included (R05)."""
    wanted = list(itertools.permutations(_CODECS, 2))
    required = _("a translation path between any two of {codecs}", codecs=joined(", ", _CODECS))
    lost = [
        _("{item} to {other}", item=one, other=other)
        for one, other in wanted
        if (one, other) not in found.ways
    ]
    if lost:
        return failed(
            _("no translation path from {lost}", lost=joined(", ", lost)), required, found.evidence
        )
    return passed(_("{count} translation paths", count=len(wanted)), required, found.evidence)


@check(
    id="asterisk.transcoding",
    title=_("Voice codecs can be transcoded, recordings included"),
    severity=Severity.HIGH,
    requirements=("R05",),
    remedy=with_note(
        "{ssh} asterisk -rx 'core show translation'",
        _("check that codec_opus is loaded, then: {install}", install=INSTALL),
    ),
    role=Role.TELEPHONY,
    needs=("asterisk.service",),
    timeout=15.0,
)
def _transcoding(subject: Subject) -> Judgement:
    return judge_transcoding(subject.facts.get(transcoding, _CODECS))


CHECKS = checks_of(globals())
