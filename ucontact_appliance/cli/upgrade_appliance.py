"""`ucontact upgrade --appliance`: another version of ucontact itself, and the site with it."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import typer

from ucontact_appliance import __version__
from ucontact_appliance.cli.options import demand_yes
from ucontact_appliance.cli.upgrade_view import say
from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.versions import reaches
from ucontact_appliance.printable import printable
from ucontact_appliance.release.trust import load_trust
from ucontact_appliance.release.wheel import (
    ApplianceWheel,
    demand_same_content,
    new_entries,
    own_changelog,
    verified_wheel,
)
from ucontact_appliance.upgrading.environment import (
    BEFORE,
    appliance_lock,
    beside,
    build_next,
    command_in,
    demand_environment,
    drop,
    take_into_use,
    variables,
)

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MOST_ENTRIES = 40


@dataclass(frozen=True)
class ApplianceOrder:
    """A wheel, the SHA-256 that the operator knows of it, and the options of the site's upgrade."""

    wheel: Path
    sha256: str | None
    options: tuple[str, ...]


def upgrade_appliance(site_file: Path, order: ApplianceOrder, *, yes: bool, dry_run: bool) -> bool:
    """Install the wheel beside this version, upgrade the site with it, then take it into use.

    The site's upgrade goes back by itself when it fails; this version stays in use then. Returns
    False, with nothing done, if this version is the wheel's.
    """
    prefix = demand_environment()
    with appliance_lock(), tempfile.TemporaryDirectory() as folder:
        wheel = verified_wheel(order.wheel, Path(folder), load_trust().publishers, order.sha256)
        if wheel.version == __version__:
            demand_same_content(wheel)
            say(_("the appliance is {version} already", version=__version__))
            return False
        _demand_newer(wheel)
        _show(wheel)
        say(_("installing {version} beside this version …", version=wheel.version))
        built = build_next(wheel.path, wheel.version, prefix)
        site = ("--site", str(site_file))
        status = 0
        try:
            status = _run(command_in(built, "upgrade", "--dry-run", *site, *order.options))
            _demand_success(status)
            if dry_run:
                return True
            if not yes:
                demand_yes(
                    _("Upgrade the appliance and the site?"),
                    _("stdin is not a terminal, so the upgrade can't be confirmed"),
                )
            status = _run(command_in(built, "upgrade", "--yes", *site, *order.options))
            _demand_success(status)
            take_into_use(prefix)
        finally:
            if status >= 0:  # what a killed command has started may run on for some seconds
                drop(built)
    say(
        _(
            "the appliance is {version}; {before} is kept in {path}, for `ucontact rollback`",
            version=wheel.version,
            before=__version__,
            path=beside(prefix, BEFORE),
        )
    )
    return True


def _demand_newer(wheel: ApplianceWheel) -> None:
    if not reaches(wheel.version, __version__):
        raise UsageError(
            _(
                "{version} is older than this version, {own}",
                version=wheel.version,
                own=__version__,
            ),
            helps=with_note("ucontact rollback", _("goes back to the version before")),
        )


def _show(wheel: ApplianceWheel) -> None:
    say(_("appliance {before} -> {after}", before=__version__, after=wheel.version))
    entries = new_entries(own_changelog(), wheel.changelog)
    above = ""
    for heading, entry in entries[:_MOST_ENTRIES]:
        if heading != above:
            say(printable(f"  {heading}"))
            above = heading
        say(printable(f"    - {entry}"))
    if len(entries) > _MOST_ENTRIES:
        say(_("    and {count} more: CHANGELOG.md", count=len(entries) - _MOST_ENTRIES))


def _demand_success(status: int) -> None:
    """End as the other version's command did; it has said why."""
    if status < 0:
        raise PhaseFailedError(
            _("the upgrade was killed"),
            evidence=signal.Signals(-status).name,
            helps=with_note(
                "ucontact rollback", _("goes back to the restore point, if one was made")
            ),
        )
    if status:
        raise typer.Exit(status)


def _run(words: Sequence[str]) -> int:
    """Run a command of the other version on this terminal; return its status."""
    with subprocess.Popen(words, env=variables()) as process, _passed_on(process):
        return process.wait()


@contextmanager
def _passed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass signals on within the context: the command goes back first, and ends then.

    Ctrl-C reaches it without us.
    """

    def passed(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            process.send_signal(number)

    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, passed)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
