"""Checks of listening ports: all of the port registry's listen, and no others."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Stage,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.sockets import Listener, listeners
from ucontact_appliance.language.messages import _, concatenated, joined, with_note
from ucontact_appliance.planning.component_tables import PortRow, ports
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import OpenPort, ports_for
from ucontact_appliance.resources import load_data

_HOLDERS = {row.id: row.processes for row in ports() if row.processes}
_IGNORED = frozenset((row["protocol"], row["port"]) for row in load_data("os")["listeners"])
_EPHEMERAL = (32768, 60999)  # ip_local_port_range's default, ip(7)
_CRITICAL = frozenset({"https", "wss"})


def _registry(subject: Subject) -> tuple[OpenPort, ...]:
    return ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))


def _holds(listener: Listener, port: OpenPort) -> bool:
    return listener.protocol == port.protocol and listener.port == port.first


def judge_listening(
    port: OpenPort, found: tuple[Listener, ...], holders: tuple[str, ...]
) -> Judgement:
    """Require that the right process listens, and beyond the loopback if the port has sources."""
    name = f"{port.protocol}/{port.first}"
    required = _(
        "{holders} listens on {name} ({purpose})",
        holders=holders[0],
        name=name,
        purpose=_(port.purpose),
    )
    here = [listener for listener in found if _holds(listener, port)]
    evidence = "\n".join(listener.line for listener in here) or f"$ ss -lntup: nothing on {name}"
    if not here:
        return failed(_("nothing listens on {name}", name=name), required, evidence)
    strangers = [
        listener
        for listener in here
        if listener.processes and not set(listener.processes) & set(holders)
    ]
    if strangers:
        return failed(
            _(
                "{processes} listens on {name}",
                processes=joined(", ", strangers[0].processes),
                name=name,
            ),
            required,
            evidence,
            with_note(
                f"{{ssh}} ss -lntup 'sport = :{port.first}'",
                _("stop the process that should not use this port"),
            ),
        )
    if port.sources and all(listener.loopback for listener in here):
        return failed(_("{name} listens on the loopback only", name=name), required, evidence)
    where = ", ".join(dict.fromkeys(listener.address for listener in here))
    return passed(
        _(
            "{holders} listens on {where} port {first}",
            holders=holders[0],
            where=where,
            first=port.first,
        ),
        required,
        evidence,
    )


def _listening(row: PortRow) -> Check:
    """Return the check of one row of the port registry."""

    @check(
        id=f"ports.{row.id}",
        title=_(
            "A service listens on {id} ({purpose})",
            id=row.id,
            purpose=_(row.purpose),
        ),
        severity=Severity.CRITICAL if row.id in _CRITICAL else Severity.HIGH,
        requirements=row.requirements,
        # The service runs but does not listen: its settings were changed, or it lost its socket.
        remedy=f"{{ssh}} systemctl restart {row.unit}" + ("; {install}" if row.id != "ssh" else ""),
        role=row.role if isinstance(row.role, Role) else None,
        without=row.without,
        needs=row.needs,
    )
    def judge(subject: Subject) -> Judgement:
        port = next(port for port in _registry(subject) if port.id == row.id)
        if row.id == "ssh" and subject.host.is_local:
            return skipped(_("the host is this machine: SSH is not needed"))
        return judge_listening(port, subject.facts.get(listeners), row.processes)

    return judge


LISTENING = tuple(_listening(row) for row in ports() if row.processes)


def judge_private(registry: tuple[OpenPort, ...], found: tuple[Listener, ...]) -> Judgement:
    """Require that ports without sources, for the host itself, listen on the loopback only."""
    private = [port for port in registry if not port.sources]
    required = _(
        "loopback only: {private}",
        private=joined(", ", (f"{p.protocol}/{p.first}" for p in private)),
    )
    open_ones = [
        listener
        for listener in found
        if not listener.loopback and any(_holds(listener, port) for port in private)
    ]
    if open_ones:
        told = joined(
            ", ",
            (
                _(
                    "{protocol}/{port} on {address}",
                    protocol=one.protocol,
                    port=one.port,
                    address=one.address,
                )
                for one in open_ones
            ),
        )
        return failed(told, required, "\n".join(one.line for one in open_ones))
    return passed(_("none is reachable from outside"), required)


@check(
    id="ports.private",
    title=_("Private ports are on the loopback only"),
    severity=Severity.CRITICAL,
    requirements=("R01", "C05"),
    remedy="{install}",
)
def _private(subject: Subject) -> Judgement:
    return judge_private(_registry(subject), subject.facts.get(listeners))


def judge_unexpected(registry: tuple[OpenPort, ...], found: tuple[Listener, ...]) -> Judgement:
    """Warn about listeners towards the network without a row in the port registry."""
    required = _("only the registry's ports listen on the network")
    odd = [
        listener
        for listener in found
        if not listener.loopback
        and (listener.protocol, listener.port) not in _IGNORED
        and not any(_covers(port, listener) for port in registry)
        and not _ephemeral(listener)
    ]
    if odd:
        told = joined(
            ", ",
            (
                concatenated(
                    (
                        f"{one.protocol}/{one.port} (",
                        ", ".join(one.processes) or _("an unknown program"),
                        ")",
                    )
                )
                for one in odd
            ),
        )
        return warned(told, required, "\n".join(one.line for one in odd))
    return passed(_("nothing else listens"), required)


@check(
    id="ports.unexpected",
    title=_("Nothing unexpected listens on the network"),
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy=with_note("{ssh} ss -lntup", _("stop and disable services that are not needed")),
)
def _unexpected(subject: Subject) -> Judgement:
    return judge_unexpected(_registry(subject), subject.facts.get(listeners))


def _ephemeral(listener: Listener) -> bool:
    """Whether it is a client UDP socket of our services, which the firewall shields."""
    ours = {holder for holders in _HOLDERS.values() for holder in holders}
    in_range = _EPHEMERAL[0] <= listener.port <= _EPHEMERAL[1]
    return listener.protocol == "udp" and in_range and bool(set(listener.processes) & ours)


def _covers(port: OpenPort, listener: Listener) -> bool:
    first, _, last = port.port.partition("-")
    return port.protocol == listener.protocol and int(first) <= listener.port <= int(last or first)


def judge_free(registry: tuple[OpenPort, ...], found: tuple[Listener, ...]) -> Judgement:
    """Require that no other program holds a port that the services need."""
    required = _("the registry's ports are free, or held by the services themselves")
    taken = [
        listener
        for listener in found
        for port in registry
        if _holds(listener, port)
        and port.id in _HOLDERS
        and not set(listener.processes) & set(_HOLDERS[port.id])
    ]
    if taken:
        told = joined(
            ", ",
            (
                _(
                    "{protocol}/{port} is held by {processes}",
                    protocol=one.protocol,
                    port=one.port,
                    processes=joined(", ", one.processes) or _("an unknown program"),
                )
                for one in taken
            ),
        )
        return failed(told, required, "\n".join(one.line for one in taken))
    return passed(_("free, or held by the services"), required)


@check(
    id="ports.free",
    title=_("No other program uses a required port"),
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy=with_note("{ssh} ss -lntup", _("stop and disable the program that uses the port")),
    # In the doctor too: a service that can't start without its port is not the cause.
    stages=frozenset({Stage.PREFLIGHT, Stage.DOCTOR}),
)
def _free(subject: Subject) -> Judgement:
    return judge_free(_registry(subject), subject.facts.get(listeners))


FREE = _free.id

CHECKS = checks_of(globals())
