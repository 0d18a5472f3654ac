"""The nightly run: a systemd timer on the installing machine, and whom it notifies of changes.

Recipients are stored in `watch.json` beside the site's secrets, and not in site.yml: a webhook's
address is a secret, and the timer belongs to this machine, not to the site.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.findings.changes import Changes
from ucontact_appliance.findings.translated import translated_changes
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.language.messages import _, concatenated, joined, with_note
from ucontact_appliance.operate.notify import find_sendmail, post, public_part, send_mail
from ucontact_appliance.report.changed import body_text, message, subject_line
from ucontact_appliance.site.files import write_atomic, write_private
from ucontact_appliance.templating import environment

UNITS = Path("/etc/systemd/system")
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_SECONDS = 30
AT = "03:30"


class TimerSettings(BaseModel):
    """Whom a site's timer notifies, when it runs (this machine's time), and with which calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = AT
    mail: str | None = None
    webhook: str | None = None
    lang: Language = Language.EN
    deep: bool = False

    def __repr__(self) -> str:
        return f"<watch of {self.site} at {self.at}>"


@dataclass(frozen=True)
class Timer:
    """The installed timer: its name, and its next run as reported by systemd."""

    name: str
    next: str


def unit_name(site: str) -> str:
    """Return the name of a site's service and timer, without the suffix."""
    return f"ucontact-doctor-{site}"


def install_timer(watch: TimerSettings, site_file: Path, path: Path, units: Path = UNITS) -> Timer:
    """Install the service and the timer, verified before they replace anything, and start it.

    `watch` is saved in `path`. Raises UsageError if there is no systemd or no sendmail,
    UnreachableError when systemd rejects the units.
    """
    _demand_systemd()
    if watch.mail:
        find_sendmail()
    _demand_importable()
    texts = render_units(watch, site_file, path)
    _verify(texts)
    write_private(path, watch.model_dump_json(indent=2) + "\n")
    return _start(unit_name(watch.site), texts, units)


def install_units(name: str, texts: Mapping[str, str], units: Path = UNITS) -> Timer:
    """Install a service and its timer, verified before they replace anything, and start it.

    `texts` has the text of NAME.service and NAME.timer. Raises as `install_timer`.
    """
    _demand_systemd()
    _demand_importable()
    _verify(texts)
    return _start(name, texts, units)


def _start(name: str, texts: Mapping[str, str], units: Path) -> Timer:
    for file, text in texts.items():
        write_atomic(units / file, text)
    timer = f"{name}.timer"
    _systemctl("daemon-reload")
    _systemctl("enable", timer)
    _systemctl("restart", timer)  # so that a running timer takes the new time
    return timer_of(name)


def find_timer(site: str) -> Timer:
    """Return the site's timer and its next run. Raises UnreachableError if systemctl fails."""
    return timer_of(unit_name(site))


def timer_of(name: str) -> Timer:
    """Return the timer of that unit and its next run. Raises UnreachableError."""
    timer = f"{name}.timer"
    shown = _systemctl("show", timer, "--property=NextElapseUSecRealtime", "--value")
    return Timer(timer, shown.strip())


def remove_timer(site: str, path: Path, units: Path = UNITS) -> bool:
    """Stop the timer and remove its files; return whether there was one."""
    found = remove_units(unit_name(site), units)
    path.unlink(missing_ok=True)
    return found


def remove_units(name: str, units: Path = UNITS) -> bool:
    """Stop the timer of that unit and remove both files; return whether there was one."""
    _demand_systemd()
    files = [units / f"{name}.timer", units / f"{name}.service"]
    found = any(file.exists() for file in files)
    if files[0].exists():
        _systemctl("disable", "--now", files[0].name)
    for file in files:
        file.unlink(missing_ok=True)
    if found:
        _systemctl("daemon-reload")
    return found


def load_watch(path: Path) -> TimerSettings:
    """Return whom to notify. Raises UnreachableError when the file can't be read."""
    try:
        return TimerSettings.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        # pydantic's message would quote the file, including the webhook's address.
        evidence = str(error) if isinstance(error, OSError) else _("it is damaged")
        raise UnreachableError(
            _("the notification settings {path} can't be read", path=path),
            evidence=evidence,
            helps="ucontact doctor timer set",
        ) from None


def tell(
    watch: TimerSettings, time: datetime, changes: Changes, findings: Sequence[Finding]
) -> None:
    """Send the changes to all recipients. Raises UnreachableError if one was not notified."""
    translate = translation(watch.lang)
    subject = translate(subject_line(watch.site, changes, findings))
    told = translated_changes(changes, translate)
    body = body_text(watch.site, told, findings, translate)
    document = message(watch.site, time, told, findings)
    _send(watch, subject, body, {**document, "text": f"{subject}\n\n{body}"})


def tell_trouble(watch: TimerSettings, error: ApplianceError) -> None:
    """Send the error that prevented the run: without a message the site would seem healthy."""
    translate = translation(watch.lang)
    subject = translate(_("uContact {site}: the checks could not run", site=watch.site))
    helps = f"{translate(_('try:'))} {translate(error.helps)}" if error.helps else ""
    lines = (translate(error.what), translate(error.evidence), helps)
    text = "\n".join(line for line in lines if line) + "\n"
    _send(watch, subject, text, {"text": f"{subject}\n\n{text}", "site": watch.site})


def _send(watch: TimerSettings, subject: str, text: str, document: dict[str, object]) -> None:
    problems: list[UnreachableError] = []
    if watch.mail:
        try:
            send_mail(watch.mail, subject, text)
        except UsageError as error:
            problems.append(UnreachableError(error.what, helps=error.helps))
        except UnreachableError as error:
            problems.append(error)
    if watch.webhook:
        try:
            post(watch.webhook, document)
        except UnreachableError as error:
            problems.append(error)
    if problems:
        told = joined(
            "\n", (concatenated((error.what, ": ", error.evidence)) for error in problems)
        )
        raise UnreachableError(
            _("not all notifications were delivered"), evidence=told, helps=problems[0].helps
        )


def destinations(watch: TimerSettings) -> str:
    """Return the recipients as text for the screen."""
    told = [watch.mail, public_part(watch.webhook) if watch.webhook else None]
    return joined(_(" and "), filter(None, told)) or _("the journal only")


def render_units(watch: TimerSettings, site_file: Path, path: Path) -> dict[str, str]:
    """Return the text of the service and the timer, by file name."""
    deep = ("--deep",) if watch.deep else ()
    words = ("doctor", *deep, "--site", str(site_file), "--notify", str(path))
    values = {"site": watch.site, "at": watch.at}
    return units_of(unit_name(watch.site), "ucontact-doctor", words, values)


def units_of(
    name: str, template: str, words: Sequence[str], values: Mapping[str, str]
) -> dict[str, str]:
    """Return NAME.service and NAME.timer of the template, to run `ucontact` with these words."""
    jinja = environment("etc/systemd/system")  # words pass through `_quoted`
    command = (sys.executable, "-m", "ucontact_appliance", *words)
    moved = [f"{key}={os.environ[key]}" for key in _ROOTS if key in os.environ]
    every = {
        **values,
        "command": " ".join(_quoted(word).replace("$", "$$") for word in command),
        "environment": [_quoted(line) for line in moved],
    }
    return {
        f"{name}.{kind}": jinja.get_template(f"{template}.{kind}.j2").render(**every)
        for kind in ("service", "timer")
    }


_ROOTS = ("UCONTACT_ETC", "UCONTACT_VAR")


def _quoted(text: str) -> str:
    """Return one quoted word of a unit file, with specifiers escaped (systemd.syntax(7))."""
    if any(ord(character) < 32 for character in text):
        raise UsageError(
            _("{text!r} can't be used in a unit file", text=text),
            helps=_("use a path without control characters"),
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _demand_systemd() -> None:
    if _BOOTED.is_dir():
        return
    with suppress(OSError):
        first = Path("/proc/1/comm").read_text(encoding="utf-8").strip()
        evidence = _("process 1 is {first}, and there is no {path}", first=first, path=_BOOTED)
        raise UsageError(
            _("this machine does not run systemd, so no timer can be set here"),
            evidence=evidence,
            helps=with_note(
                "ucontact doctor changes", _("run it nightly with this machine's job scheduler")
            ),
        )
    raise UsageError(_("this machine does not run systemd, so no timer can be set here"))


def _demand_importable() -> None:
    """Raise UsageError if the package can be imported in this folder only: the unit starts in /."""
    done = subprocess.run(
        [sys.executable, "-c", "import ucontact_appliance"],
        cwd="/",
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise UsageError(
            _("a timer would not find the appliance"),
            evidence=_(
                "{executable} can't import ucontact_appliance outside this folder",
                executable=sys.executable,
            ),
            helps=f"{sys.executable} -m pip install .",
        )


def _verify(texts: Mapping[str, str]) -> None:
    """Verify the units by systemd-analyze before they replace anything."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    with tempfile.TemporaryDirectory(prefix="ucontact-units-") as folder:
        files = [Path(folder) / name for name in texts]
        for file, text in zip(files, texts.values(), strict=True):
            file.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [program, "verify", "--man=no", *map(str, files)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if done.returncode:
        raise UnreachableError(_("systemd rejects the timer's units"), evidence=done.stderr.strip())


def _systemctl(*words: str) -> str:
    try:
        done = subprocess.run(
            ["systemctl", *words], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(_("systemctl did not respond"), evidence=str(error)) from error
    if done.returncode:
        raise UnreachableError(
            _("systemctl {words} failed", words=words[0]),
            evidence=done.stderr.strip(),
            helps=f"systemctl status {words[-1]}",
        )
    return done.stdout
