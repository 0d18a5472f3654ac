"""List and lift the bans of an installed site's telephony servers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ucontact_appliance.errors import PhaseFailedError, UnreachableError
from ucontact_appliance.facts.bans import TABLE, Ban, HostBans, Target, bans
from ucontact_appliance.facts.runner import Completed, Runner, SshSettings, runner_for
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.operate.reach import reaching
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.model import Host

_SECONDS = 60.0
_AT_ONCE = 100  # bans per command
_MOST_NAMED = 5


@dataclass(frozen=True)
class LiftedBans:
    """The bans lifted on one host; a second query found none of them left."""

    host: str
    bans: tuple[Ban, ...]


def site_bans(here: Installed) -> Mapping[str, HostBans | UnreachableError]:
    """Return the bans of each telephony server by its name, or why it could not be queried."""
    ssh = SshSettings(here.paths.known_hosts)
    found: dict[str, HostBans | UnreachableError] = {}
    for host in _hosts(here):
        try:
            with reaching(host), runner_for(host, ssh) as runner:
                found[host.name] = bans(runner)
        except UnreachableError as error:
            found[host.name] = error
    return found


def lift(here: Installed, target: Target | None) -> Iterator[LiftedBans]:
    """Lift the bans that `target` covers (None: all bans), one host after the other.

    Raises UnreachableError when a host can't be queried or fail2ban does not answer, and
    PhaseFailedError when a ban remains.
    """
    ssh = SshSettings(here.paths.known_hosts)
    for host in _hosts(here):
        with reaching(host), runner_for(host, ssh) as runner:
            yield LiftedBans(host.name, _lift(host, runner, target))


def _hosts(here: Installed) -> list[Host]:
    carriers = {host.name for host in here.plan.hosts if Role.TELEPHONY in host.roles}
    return [host for host in here.site.hosts if host.name in carriers]


def _lift(host: Host, runner: Runner, target: Target | None) -> tuple[Ban, ...]:
    found = bans(runner)
    wanted = _covered(found, target)
    done = [*_unban(runner, wanted), *_delete_left_over(runner, wanted)]
    if wanted:
        left = {(ban.jail, ban.target.id) for ban in _covered(bans(runner), target)}
        # A new ban, set in the meantime after further wrong passwords, is not in `wanted`.
        kept = [ban for ban in wanted if (ban.jail, ban.target.id) in left]
        if kept:
            named = ", ".join(ban.target.id for ban in kept[:_MOST_NAMED])
            raise PhaseFailedError(
                _(
                    "{name}: {kept} of {wanted} bans are still in force: {named}",
                    name=host.name,
                    kept=len(kept),
                    wanted=len(wanted),
                    named=named,
                ),
                evidence="\n".join(one.evidence for one in done if one.status),
                helps=with_note(
                    _("on {name}: systemctl restart fail2ban.service", name=host.name),
                    _("then try again"),
                ),
            )
    if found.error:
        raise UnreachableError(
            _("some bans could not be read; the others were lifted"),
            evidence=found.error,
            helps=_(
                "on {name}: systemctl restart ucontact-sip.service fail2ban.service", name=host.name
            ),
        )
    return wanted


def _covered(found: HostBans, target: Target | None) -> tuple[Ban, ...]:
    return tuple(ban for ban in found.bans if target is None or target.covers(ban.target))


def _unban(runner: Runner, wanted: Sequence[Ban]) -> Iterator[Completed]:
    by_jail: dict[str, list[str]] = defaultdict(list)
    for ban in wanted:
        if ban.jail:
            by_jail[ban.jail].append(ban.target.id)
    for jail, names in by_jail.items():
        for some in _chunks(names):
            command = ["fail2ban-client", "set", jail, "unbanip", *some]
            yield runner.run(command, timeout=_SECONDS)


def _delete_left_over(runner: Runner, wanted: Sequence[Ban]) -> Iterator[Completed]:
    """Delete nftables elements that belong to no jail; call it after fail2ban's own unbanning."""
    elements = [ban.target.element for ban in wanted if not ban.jail]
    for some in _chunks(elements):
        # Added first, so that deleting an element that has expired is no error.
        commands = "".join(
            f"{verb} element {TABLE} {element}\n" for element in some for verb in ("add", "delete")
        )
        yield runner.run(["nft", "-f", "-"], stdin=commands, timeout=_SECONDS)


def _chunks(words: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(words), _AT_ONCE):
        yield words[start : start + _AT_ONCE]
