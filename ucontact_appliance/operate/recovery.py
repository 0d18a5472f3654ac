"""Keep a site's state sealed on its servers, and take it from there to another machine."""

from __future__ import annotations

import base64
import binascii
import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance import __version__
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.recovery import (
    SEALED,
    SealedRecord,
    own_digest,
)
from ucontact_appliance.facts.runner import Runner, SshSettings, runner_for
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.site.files import private_dir, write_atomic, write_private
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.site.recovery_key import RecoveryKey, kept_recovery_key
from ucontact_appliance.site.sealed_state import (
    STATE_BYTES,
    SealedFile,
    SiteState,
    seal,
    sealed_file,
    unseal,
)
from ucontact_appliance.state import StatePaths

_SECONDS = 60.0
# What runs write and can be done without: logs, reports, the doctor's runs, locks and sockets.
_VAR_FILES = (
    "capacity.json",
    "drills.json",
    "journal.json",
    "managed.json",
    "places.json",
    "plan.json",
    "release.manifest.json",
    "reports.json",
    "states.json",
)
_WRITE = f"""
set -e
umask 077
mkdir -p "$(dirname {SEALED})"
base64 -d >{SEALED}.new
sync -f {SEALED}.new
mv -T {SEALED}.new {SEALED}
"""
_READ = f"test ! -e {SEALED} || head -c {STATE_BYTES} {SEALED} | base64 -w0"


def collect_state(site: Site, site_file: Path, paths: StatePaths) -> SiteState:
    """Return the state of the site on this machine, without its recovery key.

    Raises UnreachableError when a file of it can't be read.
    """
    try:
        text = site_file.read_text(encoding="utf-8")
        # As written in site.yml, and where they are on this machine.
        named = zip(named_files(parse_site(text)), named_files(site), strict=True)
        return SiteState(
            site=site.site,
            appliance=__version__,
            controller=socket.gethostname(),
            created=datetime.now(timezone.utc).replace(microsecond=0),
            site_yml=text,
            etc=dict(_files(paths.etc, without=paths.recovery_key)),
            var={
                name: _file(paths.var / name) for name in _VAR_FILES if (paths.var / name).is_file()
            },
            beside={str(path): _file(here) for path, here in named},
        )
    except OSError as error:
        raise UnreachableError(
            _("the state of the site {site} can't be read", site=site.site), evidence=str(error)
        ) from error


def keep_sealed(site: Site, site_file: Path, paths: StatePaths, ssh: SshSettings) -> None:
    """Seal the state with the site's recovery key, and replace what its servers keep.

    The key is made by the first call. Raises UnreachableError when a server does not take it.
    """
    state = collect_state(site, site_file, paths)
    data = seal(state, kept_recovery_key(paths.recovery_key))
    text = base64.b64encode(data).decode()

    def one(host: Host) -> None:
        with runner_for(host, ssh) as runner:
            done = runner.run(["bash", "-c", _WRITE], stdin=text, timeout=_SECONDS)
        if done.status:
            raise UnreachableError(
                _("host {name}: the sealed state can't be written", name=host.name),
                evidence=done.evidence,
            )

    with ThreadPoolExecutor(max_workers=len(site.hosts)) as pool:
        list(pool.map(one, site.hosts))
    record = SealedRecord(
        sha256=hashlib.sha256(data).hexdigest(),
        created=state.created,
        own=own_digest(paths.etc),
    )
    write_private(paths.sealed, record.model_dump_json(indent=1) + "\n")


def fetch_state(host: Host, runner: Runner, key: RecoveryKey) -> SiteState:
    """Return the state that the server keeps sealed. Raises UnreachableError or UsageError."""
    done = runner.run(["bash", "-c", _READ], timeout=_SECONDS, limit=2 * STATE_BYTES)
    try:
        data = base64.b64decode(done.stdout, validate=True)
    except binascii.Error as error:
        raise UnreachableError(
            _("the sealed state on {address} can't be read", address=host.address),
            evidence=done.evidence[:400],
        ) from error
    if done.status or not data:
        raise UnreachableError(
            _("the server {address} keeps no sealed state", address=host.address),
            evidence=done.stderr.strip() or _("there is no {path} on it", path=SEALED),
            helps=_("name another server of the site"),
        )
    return unseal(data, key)


def refuse_to_overwrite(state: SiteState, paths: StatePaths, site_file: Path) -> None:
    """Raise UsageError where this machine already has state of the site, or other content."""
    there = [
        path
        for path in (paths.etc, paths.var)
        if path.is_dir() and any(one.name != "install.lock" for one in path.iterdir())
    ]
    if there:
        raise UsageError(
            _("this machine already has state of the site {site}", site=state.site),
            evidence=joined("\n", map(str, there)),
            helps=_("if it is old: move both folders away, then run the same command again"),
        )
    files = {site_file: state.site_yml.encode()}
    files |= {path: file.data for path, file in _beside(state, site_file.parent)}
    other = [path for path, data in files.items() if path.exists() and path.read_bytes() != data]
    if other:
        raise UsageError(
            _("files with another content are in the way; nothing was changed"),
            evidence=joined("\n", map(str, other)),
            helps=_("move them away, or use another folder: ucontact adopt --site FILE"),
        )


def write_state(
    state: SiteState, paths: StatePaths, site_file: Path, site_yml: str, key: RecoveryKey
) -> tuple[Path, ...]:
    """Write the state on this machine; return the files that site.yml names.

    The secrets come last: without them, no command takes the site for complete.
    """
    private_dir(paths.etc)
    private_dir(paths.var)
    for folder, files in ((paths.var, state.var), (paths.etc, state.etc)):
        for name, file in sorted(files.items(), key=lambda one: one[0] == paths.secrets.name):
            path = folder / name
            if path.parent != folder:
                private_dir(path.parent)
            write_atomic(path, file.data, file.mode)
    beside = tuple(_beside(state, site_file.parent))
    for path, file in beside:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, file.data, file.mode)
    write_private(paths.recovery_key, f"{key.text}\n")
    write_atomic(site_file, site_yml, 0o644)
    return tuple(path for path, __ in beside)


def _beside(state: SiteState, folder: Path) -> Iterator[tuple[Path, SealedFile]]:
    """Yield the files that site.yml names, where it names them from that folder."""
    for name, file in state.beside.items():
        yield folder / Path(name).expanduser(), file


def named_files(site: Site) -> Iterator[Path]:
    """Yield the files that site.yml names, but for the release, packages and ssh keys."""
    given, archive = site.certificate, site.telephony.archive
    signed = None if archive is None else archive.key
    yield from (path for path in (given.chain, given.key, given.ca, signed) if path is not None)
    yield from (one.file for one in site.telephony.announcements)


def _files(folder: Path, without: Path) -> Iterator[tuple[str, SealedFile]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path != without:
            yield str(path.relative_to(folder)), _file(path)


def _file(path: Path) -> SealedFile:
    return sealed_file(path.read_bytes(), path.stat().st_mode)
