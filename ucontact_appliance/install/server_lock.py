"""Allow one installer at a time on each server, from whichever controller.

A process on the server (`hold.sh`), started over the run's shared connection, holds the lock. It
ends when the installer ends for any reason, because its standard input closes. If the network is
cut, its lease expires, so that a lock outlives its holder by one lease at most.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.install.server_record import (
    RECORD,
    RECORD_BYTES,
    ServerRecord,
    load_known_runs,
    new_record,
    parse_record,
    refuse_unknown,
    remember_run,
)
from ucontact_appliance.install.server_session import (
    LINE_BYTES,
    LockOwner,
    ServerLock,
    Tell,
    connect,
)
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.language.messages import what_of
from ucontact_appliance.state import StatePaths

_KEEP_SECONDS = 10.0


class ServerHold:
    """The locks of all servers of a site. A thread renews their leases."""

    def __init__(self, held: tuple[ServerLock, ...], record: ServerRecord, runs: Path) -> None:
        self._held = held
        self._record = record
        self._runs = runs
        self._written = False
        self._lost: Exception | None = None
        self._on_lost: Callable[[], None] = lambda: None
        self._end = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def ended_by(self, end: Callable[[], None]) -> None:
        """Set the function to call when a lock is lost for good."""
        self._on_lost = end

    def demand(self) -> None:
        """Raise PhaseFailedError when a lock was lost: nothing more may be changed."""
        lost = self._lost
        if lost is not None:
            raise PhaseFailedError(
                what_of(lost),
                evidence=getattr(lost, "evidence", ""),
                helps=getattr(lost, "helps", ""),
            ) from lost

    def begin(self) -> None:
        """Record on every server that this run is about to change it."""
        self.demand()
        if not self._written:
            # Saved here first: if killed in between, this controller must not be refused later.
            remember_run(self._runs, self._record)
            self._write(self._record)
            self._written = True

    def finish(self, *, well: bool) -> None:
        """Record how the run ended, if its start was recorded. Raises UnreachableError."""
        if self._written and self._lost is None:
            progress = {"progress": "done" if well else "failed"}
            self._write(self._record.model_copy(update=progress))

    def stop(self) -> None:
        """Stop renewing the leases."""
        self._end.set()
        self._keeper.join(timeout=1)

    def _write(self, record: ServerRecord) -> None:
        for held in self._held:
            held.write(record)

    def _keep(self) -> None:
        while not self._end.wait(_KEEP_SECONDS):
            for held in self._held:
                try:
                    held.keep()
                except (UsageError, UnreachableError, TimeoutError) as error:
                    if not self._end.is_set():
                        self._lost = error
                        self._on_lost()
                    return


@contextmanager
def hold_servers(
    seen: Surveyed,
    site_file: Path,
    paths: StatePaths,
    ssh: SshSettings,
    tell: Tell,
    *,
    replace_newer: bool = False,
) -> Iterator[ServerHold]:
    """Hold the lock of every server of the site.

    Locks are acquired in the order of the servers' machine-ids, so that two controllers with
    different host names do not deadlock. Raises UsageError with the holder when another installer
    is running on a server, and with a diff when a server's newest installation is not known here
    (unless `replace_newer`); UnreachableError when a record can't be read.
    """
    known = load_known_runs(paths.runs)
    controller = socket.gethostname()
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    order = sorted(
        seen.site.hosts, key=lambda host: (seen.surveys[host.name].machine_id, host.name)
    )
    with ExitStack() as stack:
        held = []
        record = new_record(seen.site, controller, 1)
        who = LockOwner(
            controller=controller, site=seen.site.site, pid=os.getpid(), since=now, run=record.run
        )
        runners = {host.name: stack.enter_context(runner_for(host, ssh)) for host in order}
        with ThreadPoolExecutor(max_workers=len(order)) as pool:
            list(pool.map(connect, runners.values()))
        for host in order:
            one = ServerLock(host, runners[host.name], who, tell)
            stack.callback(one.close)
            held.append(one)
        found = {one.host.name: one.record for one in held}
        if not replace_newer:
            for host in seen.site.hosts:
                record_there = found[host.name]
                if record_there is not None:
                    refuse_unknown(host, record_there, known, seen.site, site_file)
        earlier = [one.sequence for one in found.values() if one is not None]
        newest = max([0, *earlier, *(one.sequence for one in known.runs)]) + 1
        hold = ServerHold(tuple(held), record.model_copy(update={"sequence": newest}), paths.runs)
        try:
            yield hold
        finally:
            hold.stop()


_READ = f"""
if test -e {RECORD} || test -L {RECORD}; then head -c {RECORD_BYTES + 1} {RECORD} | base64 -w0
else printf %s -; fi
"""


def demand_known(seen: Surveyed, site_file: Path, paths: StatePaths, ssh: SshSettings) -> None:
    """Raise the errors of `hold_servers` for unknown runs, in a dry run, without any lock."""
    known = load_known_runs(paths.runs)
    for host in seen.site.hosts:
        with runner_for(host, ssh) as runner:
            done = runner.run(["bash", "-c", _READ], limit=LINE_BYTES)
        record = parse_record(done.stdout.strip() or "?", host)
        if record is not None:
            refuse_unknown(host, record, known, seen.site, site_file)
