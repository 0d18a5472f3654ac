"""Check before any change whether an installation may use this machine's state and these servers.

The site's state on this machine must be intact, and a server with an installation must have this
machine's site CA. `--new-ca` continues although keys or secrets are lost: it renames the remaining
files with a timestamp and deletes nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance.damage import NEW_CA, Damage, Replacement, why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.evidence.filing import report_damage
from ucontact_appliance.install.journal import Journal, load_journal
from ucontact_appliance.language.messages import Message, _, concatenated, joined, with_note
from ucontact_appliance.moving.carry import load_places
from ucontact_appliance.pki.state import ca_mark, pki_damage
from ucontact_appliance.planning.ownership import SiteMark, strangers
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import load_secrets, required_names
from ucontact_appliance.state import StatePaths

# Keys that a new CA does not replace, because browsers have pinned them (R10).
_PINNED = ("portal.key", "hpkp-backup.key", "hpkp-backup.pub.pem")
_KNOWN_HOST_FIELDS = 3  # sshd(8), SSH_KNOWN_HOSTS FILE FORMAT


class _Replaced(BaseModel):
    """The pins of the CAs that were replaced by a new one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pins: tuple[str, ...] = ()


def find_damage(site: Site, paths: StatePaths) -> tuple[Damage, ...]:
    """Return what is damaged or lost of the site's state here; empty before the first install.

    Raises UnreachableError or UsageError for an unreadable file that `--new-ca` does not replace.
    """
    journal = load_journal(paths.journal)
    return (
        *_lost_ca(paths, journal),
        *pki_damage(site, paths.pki),
        *_secrets(site, paths),
        *report_damage(paths),
        *_known_hosts(paths.known_hosts),
        *_places(paths, journal),
    )


def demand_whole(site: Site, paths: StatePaths, *, new_ca: bool = False) -> None:
    """Raise UsageError for the first damage that this installation does not replace."""
    for damage in find_damage(site, paths):
        if not new_ca or damage.replacement is Replacement.BY_HAND:
            raise damage.error()


def demand_own(marks: Mapping[str, SiteMark | None], site: Site, paths: StatePaths) -> None:
    """Raise UsageError when a server has an installation with another CA than this machine's."""
    own = ca_mark(site, paths.pki)
    found = strangers(marks, own.pin if own else None, _replaced(paths).pins)
    if not found:
        return
    if own is None:
        raise UsageError(
            _(
                "this machine does not know the site {site}, but its servers have an "
                "installation; nothing was changed",
                site=site.site,
            ),
            evidence=_marks(found, _("there is no {path}", path=paths.pki)),
            helps=with_note(
                _(
                    "copy {etc} and {var} from the machine that installed it, or from your "
                    "backup; if they are lost: {new_ca}",
                    etc=paths.etc,
                    var=paths.var,
                    new_ca=NEW_CA,
                ),
                _("every agent's PC must then trust the new CA"),
            ),
        )
    raise UsageError(
        _("a server has an installation that does not belong to this site; nothing was changed"),
        evidence=_marks(found, _("this machine has {mark}", mark=own.words)),
        helps=with_note(
            _(
                "check the hosts' addresses in site.yml, and which machine installed "
                "these servers; to assign them to the site {site} of this machine: "
                "{new_ca}",
                site=site.site,
                new_ca=NEW_CA,
            ),
            _("every agent's PC must then trust the new CA"),
        ),
    )


def _marks(found: Mapping[str, SiteMark], last: Message) -> Message:
    """Return one line per server with the mark of its installation, then the line `last`."""
    rows = [concatenated((f"{host}: ", mark.words)) for host, mark in found.items()]
    return joined("\n", (*rows, last))


def start_anew(
    site: Site, paths: StatePaths, marks: Mapping[str, SiteMark | None], now: datetime | None = None
) -> tuple[Path, ...]:
    """Rename the CA and all damaged files, so that new ones are made; return the new paths.

    Keys that browsers have pinned stay in use if intact. The servers' old marks are stored, so that
    an interrupted install can continue. Raises UnreachableError when a file can't be moved.
    """
    suffix = f"replaced-{now or datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
    damaged = [
        path
        for damage in find_damage(site, paths)
        if damage.replacement is Replacement.WITH_NEW_CA
        for path in damage.files
    ]
    pins = {
        mark.pin
        for mark in (*marks.values(), ca_mark(site, paths.pki))
        if mark is not None and mark.pin
    }
    known = _replaced(paths)
    write_private(
        _replaced_file(paths),
        _Replaced(pins=tuple(sorted({*known.pins, *pins}))).model_dump_json(indent=1) + "\n",
    )
    aside = [path for path in damaged if path.parent != paths.pki and path.exists()]
    kept = [_moved(path, suffix) for path in aside]
    if paths.pki.exists():
        old = _moved(paths.pki, suffix)
        kept.insert(0, old)
        _keep_pinned(old, paths.pki, damaged)
    return tuple(kept)


def _moved(path: Path, suffix: str) -> Path:
    target = path.with_name(f"{path.name}.{suffix}")
    try:
        path.rename(target)
    except OSError as error:
        raise UnreachableError(
            _("{path} can't be renamed", path=path), evidence=str(error)
        ) from error
    return target


def _keep_pinned(old: Path, pki: Path, damaged: Sequence[Path]) -> None:
    wanted = [name for name in _PINNED if (old / name).exists()]
    if any(pki / name in damaged for name in _PINNED) or "portal.key" not in wanted:
        return
    for name in wanted:
        write_private(pki / name, (old / name).read_bytes())


def _lost_ca(paths: StatePaths, journal: Journal) -> tuple[Damage, ...]:
    """Return the damage when the CA is missing although certificates were installed before."""
    if (paths.pki / "ca.key").exists() or (paths.pki / "ca.pem").exists():
        return ()
    if paths.places.exists():
        evidence = _("{path} shows that there was an installation", path=paths.places)
    elif journal.finished("certificates"):
        evidence = _("{path} shows that there was an installation", path=paths.journal)
    else:
        return ()
    return (
        Damage(
            _("the site's CA is lost"),
            _("{evidence}, but there is no {pki}", evidence=evidence, pki=paths.pki / "ca.key"),
            with_note(
                _(
                    "restore {etc} from your backup, or from a server: ucontact adopt ADDRESS; "
                    "without either: {new_ca}",
                    etc=paths.etc,
                    new_ca=NEW_CA,
                ),
                _("every agent's PC must then trust the new CA"),
            ),
            (),
        ),
    )


def _secrets(site: Site, paths: StatePaths) -> tuple[Damage, ...]:
    path = paths.secrets
    helps = with_note(
        _("restore {path} from your backup; without one: {command}", path=path, command=NEW_CA),
        _("creates new secrets and a new CA: every agent's PC then needs both"),
    )
    try:
        known = load_secrets(path)
    except UsageError as error:
        return (Damage(error.what, error.evidence, helps, (path,)),)
    if not (paths.pki / "ca.pem").exists():
        return ()
    if not path.exists():
        return (
            Damage(
                _("the site's secrets are lost"),
                _("{pki} exists, but {path} does not", pki=paths.pki, path=path),
                helps,
                (),
            ),
        )
    if not any(name in known for name in required_names(site)):
        return (
            Damage(
                _("the secrets file is damaged"),
                _("{path}: it has none of the site's secrets", path=path),
                helps,
                (path,),
            ),
        )
    return ()


def _known_hosts(path: Path) -> tuple[Damage, ...]:
    """Find malformed lines: ssh ignores them and would silently pin a different key."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UnreachableError(
            _("{path} can't be read", path=path),
            evidence=str(error),
            helps=_("run the command as root"),
        ) from error
    wrong = [number for number, line in enumerate(lines, 1) if not _is_known_host(line)]
    if not wrong:
        return ()
    return (
        Damage(
            _("the file of the servers' pinned ssh keys is damaged"),
            _(
                "{path}, line {wrong}: expected a name, a key type and a key",
                path=path,
                wrong=wrong[0],
            ),
            with_note(
                _(
                    "restore {path} from your backup; without one: sed -i {wrong}d {path}",
                    path=path,
                    wrong=wrong[0],
                ),
                _(
                    "a server without a line is pinned again: compare its key with "
                    "ssh-keygen -l on the server"
                ),
            ),
            (path,),
            Replacement.BY_HAND,
        ),
    )


def _is_known_host(line: bytes) -> bool:
    fields = line.split()
    if not fields or fields[0].startswith(b"#"):
        return True
    if fields[0].startswith(b"@"):  # @cert-authority, @revoked
        fields = fields[1:]
    if len(fields) < _KNOWN_HOST_FIELDS:
        return False
    try:
        return bool(base64.b64decode(fields[2], validate=True))
    except binascii.Error:
        return False


def _places(paths: StatePaths, journal: Journal) -> tuple[Damage, ...]:
    """Find a missing places.json: without it a role that changes servers starts without data."""
    if load_places(paths.places) or paths.places.exists():
        return ()
    if not journal.finished("database") and not paths.managed.exists():
        return ()
    return (
        Damage(
            _("the list of the site's data locations is lost"),
            _(
                "{places} does not exist, but the site was installed from this machine",
                places=paths.places,
            ),
            _(
                "restore {places} from your backup; without one, if every role is on "
                "the server that site.yml assigns to it: echo '{{}}' > {places}",
                places=paths.places,
            ),
            (),
            Replacement.BY_HAND,
        ),
    )


def _replaced_file(paths: StatePaths) -> Path:
    return paths.etc / "replaced-cas.json"


def _replaced(paths: StatePaths) -> _Replaced:
    path = _replaced_file(paths)
    try:
        return _Replaced.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _Replaced()
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the list of replaced CAs, {path}, can't be read", path=path),
            evidence=why(error),
            helps=with_note(
                f"mv {path} {path}.damaged",
                _("servers with an older CA of the site are then rejected"),
            ),
        ) from error
