"""Take over a component that others installed on a server: stop it, copy it, compare the copy.

The copy is on the server itself, 0700, with a script that restores everything. Nothing is removed
before the copy was compared with its original.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.facts.foreign import KEPT, Claim, ForeignInstallation, foreign
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import Runner, SshSettings, by_hand, runner_for
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import Message, _, joined
from ucontact_appliance.planning.component_tables import ForeignRow
from ucontact_appliance.planning.component_tables import foreign as rows
from ucontact_appliance.planning.components import components_of
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.templating import environment

_LONG = 6 * 3600.0  # a large database, compressed and compared, on a slow disk
_SAID = 4000


@dataclass(frozen=True)
class Copy:
    """The folder of a component's copy on a host, and the command that restores it."""

    title: str
    host: str
    folder: str
    restore: str

    @property
    def notice(self) -> Message:
        """Folder and command as a message for the operator."""
        return joined(
            "\n",
            (
                _(
                    "{title} on {host} was stopped; a copy is in {folder}",
                    title=self.title,
                    host=self.host,
                    folder=self.folder,
                ),
                _("to restore it: {restore}", restore=self.restore),
            ),
        )


def named_components(text: str) -> tuple[str, ...]:
    """Parse comma-separated component names, each once. Raises UsageError with the nearest name."""
    known = [row.id for row in rows()]
    wanted = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                _("there is no component '{name}' to take over", name=name),
                evidence=_("known: {names}", names=", ".join(known)),
                helps=f"ucontact install --take-over {near[0] if near else ','.join(known)}",
            )
    return wanted


def take_over(
    names: tuple[str, ...], site: Site, plan: Plan, ssh: SshSettings
) -> Iterator[Copy | str]:
    """Take over each component on the hosts of its role; yield the copy, or why there is none.

    Raises PhaseFailedError when a copy fails; the original is then unchanged, and those of its
    services that were running are started again.
    """
    for row in rows():
        if row.id not in names:
            continue
        for host in site.hosts:
            if row.role in plan.host(host.name).roles:
                with runner_for(host, ssh) as runner:
                    yield _taken_over(row, site, host, runner)


def _taken_over(row: ForeignRow, site: Site, host: Host, runner: Runner) -> Copy | str:
    done = runner.run(["true"])
    with parsing(
        done, _("the state of {title} on {name} can't be read", name=host.name, title=row.title)
    ):
        found = foreign(ProbeContext(site, host, runner), row)
    if found.claim is not Claim.NONE:
        return _(
            "{title} on {name} was already taken over or set up", title=row.title, name=host.name
        )
    folder = f"{KEPT}/{row.id}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
    script = _script(row, host, folder, found)
    # On standard input: thousands of names exceed the limit of one argument (execve(2)).
    done = runner.run(["bash", "-c", 'eval "$(cat)"'], timeout=_LONG, stdin=script)
    if done.status:
        raise PhaseFailedError(
            _(
                "{title} on {name} can't be taken over; its state is unchanged",
                title=row.title,
                name=host.name,
            ),
            evidence=(done.stderr or done.stdout)[-_SAID:],
            helps=_(
                "free disk space for a copy in {folder} on {name}, or use another server",
                folder=KEPT,
                name=host.name,
            ),
        )
    return Copy(row.title, host.name, folder, by_hand(host, "sh", f"{folder}/restore.sh"))


def _script(row: ForeignRow, host: Host, folder: str, found: ForeignInstallation) -> str:
    values: Mapping[str, object] = {
        "id": row.id,
        "title": row.title,
        "host": host.name,
        "kept": KEPT,
        "folder": folder,
        "units": row.units,
        "paths": [*row.configuration, *row.databases],
        "emptied": row.databases[:1],
        "files": row.files,
        "added": found.added,
        "our_units": _our_units(row),
    }
    # Jinja's default comment start {# would match the shell's ${#list[@]}.
    jinja = environment("takeover", comment_start_string="{=#", comment_end_string="#=}")
    jinja.filters["quoted"] = lambda value: (
        shlex.quote(value) if isinstance(value, str) else shlex.join(value)
    )
    inner = {name: jinja.get_template(name).render(values) for name in ("restore.sh", "README")}
    return jinja.get_template("take-over.sh").render(
        {**values, "restore": inner["restore.sh"], "readme": inner["README"]}
    )


def _our_units(row: ForeignRow) -> list[str]:
    """Return our units and drop-ins that would prevent the component's own from starting."""
    return [
        path
        for one in components_of(row.role)
        for path in one.managed
        if any(path.startswith(f"/etc/systemd/system/{unit}") for unit in row.units)
    ]
