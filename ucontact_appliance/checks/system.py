"""Checks of a host's units, kernel parameters and sshd, and of our secrets on this machine."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

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
from ucontact_appliance.facts import host, services
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.secrets import required_names
from ucontact_appliance.state import StatePaths

# Only the container's host can mount huge pages: in a container the unit fails without harm.
_HARMLESS_IN_CONTAINERS = {"dev-hugepages.mount": _("huge pages belong to the container's host")}


def judge_units(names: tuple[str, ...], container: bool) -> Judgement:
    """Warn about failed systemd units."""
    harmless = {n: why for n, why in _HARMLESS_IN_CONTAINERS.items() if container and n in names}
    evidence = "\n".join(f"{name}: harmless here, {why}" for name, why in harmless.items())
    bad = [name for name in names if name not in harmless]
    required = _("no unit is in the state 'failed'")
    if bad:
        return warned(
            _("failed: {bad}", bad=joined(", ", bad)),
            required,
            "\n".join([*bad, evidence]).strip(),
            f"{{ssh}} systemctl status --no-pager {shlex.quote(bad[0])}",
        )
    told = (
        _("none, but for {harmless} (harmless in a container)", harmless=joined(", ", harmless))
        if harmless
        else _("none")
    )
    return passed(told, required, evidence)


@check(
    id="system.units",
    title=_("No unit has failed"),
    severity=Severity.MEDIUM,
    requirements=("C06",),
    remedy="{ssh} systemctl --failed --no-pager",
)
def _units(subject: Subject) -> Judgement:
    return judge_units(
        subject.facts.get(services.failed_units), subject.facts.get(host.hardware).container
    )


def judge_settings(found: tuple[services.Setting, ...] | None, container: bool) -> Judgement:
    """Require that every kernel parameter of the baseline's file is in force."""
    required = _("every value of /etc/sysctl.d/60-ucontact.conf is in force")
    if found is None:
        told = _("/etc/sysctl.d/60-ucontact.conf is missing")
        return failed(told, required, remedy="{install}")
    evidence = "\n".join(f"{s.key}: wanted {s.wanted}, found {s.found}" for s in found)
    hidden = [s for s in found if s.found is None]
    wrong = [s for s in found if s.found is not None and s.found != s.wanted]
    if wrong and container:
        # A container may see kernel parameters that it can't set.
        return skipped(
            _(
                "not verifiable here: {count} of {count2} values are the container's host's",
                count=len(wrong) + len(hidden),
                count2=len(found),
            ),
            required,
            evidence,
        )
    if wrong:
        first = wrong[0]
        return failed(
            _(
                "{key} is {found}, not {wanted}",
                key=first.key,
                found=first.found,
                wanted=first.wanted,
            ),
            required,
            evidence,
        )
    if hidden and container:
        return skipped(
            _(
                "not verifiable here: {count} of {count2} values are hidden from containers",
                count=len(hidden),
                count2=len(found),
            ),
            required,
            evidence,
        )
    if hidden:
        return failed(_("the kernel has no {key}", key=hidden[0].key), required, evidence)
    return passed(_("{count} values in force", count=len(found)), required, evidence)


@check(
    id="system.settings",
    title=_("Kernel parameters match the baseline"),
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy="{ssh} sysctl --system",
)
def _settings(subject: Subject) -> Judgement:
    return judge_settings(
        subject.facts.get(services.kernel_settings), subject.facts.get(host.hardware).container
    )


def judge_sshd(settings: dict[str, str] | None) -> Judgement:
    """Warn if root can log in with a password, which every network scanner tries first."""
    required = _("root can log in with a key only")
    if settings is None:
        return skipped(_("no SSH server on this host"))
    root = settings.get("permitrootlogin", "")
    by_password = settings.get("passwordauthentication") == "yes"
    interactive = (
        "kbdinteractiveauthentication" if "kbdinteractiveauthentication" in settings else ""
    )
    asked = by_password or settings.get(interactive) == "yes"
    evidence = "\n".join(
        f"{key} {settings[key]}"
        for key in ("permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication")
        if key in settings
    )
    if root == "yes" and asked:
        return warned(_("root may log in with a password"), required, evidence)
    return passed(_("permitrootlogin {root}", root=root), required, evidence)


@check(
    id="system.ssh",
    title=_("root can log in with a key only"),
    severity=Severity.LOW,
    requirements=("C05",),
    # At the top of the main file: sshd takes the first value that it reads (sshd_config(5)),
    # and releases before 8.2 read no sshd_config.d.
    remedy="{ssh} sed -i '1i PermitRootLogin prohibit-password' /etc/ssh/sshd_config && "
    "systemctl reload ssh",
)
def _sshd(subject: Subject) -> Judgement:
    return judge_sshd(subject.facts.get(services.sshd_settings))


def open_to_others(paths: StatePaths) -> tuple[str, ...]:
    """Return this machine's files with secrets or keys that not only their owner can access.

    Each as `path: mode`; a missing file is no finding.
    """
    keys = sorted(paths.pki.glob("*.key")) if paths.pki.is_dir() else []
    private = [paths.etc, paths.var, paths.secrets, paths.plan, paths.journal, *keys]
    return tuple(
        f"{path}: {mode:04o}"
        for path in private
        if (mode := _mode(path)) is not None and mode & 0o077
    )


def _is_there(path: Path) -> bool:
    return path.exists()


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


@check(
    id="controller.secrets",
    title=_("Secrets on the installing machine are private"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{install}",
    role=Role.TELEPHONY,  # exactly one host has this role: once per site
)
def _secrets(subject: Subject) -> Judgement:
    required = _("secrets and keys on this machine are complete and readable by their owner only")
    exposed = subject.facts.here(open_to_others, subject.state)
    if exposed:
        paths = shlex.join(one.rpartition(":")[0] for one in exposed)
        return failed(
            _("{count} accessible to others: {exposed}", count=len(exposed), exposed=exposed[0]),
            required,
            "\n".join(exposed),
            f"chmod go= {paths}",
        )
    if not subject.facts.here(_is_there, subject.state.secrets):
        return failed(
            _("{secrets} is missing", secrets=subject.state.secrets), required, remedy="{install}"
        )
    lost = [name for name in required_names(subject.site) if name not in subject.secrets]
    if lost:
        told = _("{secrets} lacks {lost}", secrets=subject.state.secrets, lost=joined(", ", lost))
        return failed(
            told,
            required,
            remedy=with_note(
                "{install}", _("creates new secrets and sets them in their services too")
            ),
        )
    return passed(_("{etc} and its keys are private", etc=subject.state.etc), required)


CHECKS = checks_of(globals())
