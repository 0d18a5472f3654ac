"""Wait for the locks of apt and dpkg, and finish packages that an interrupted run left."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.dpkg import PackageManager, look_at_package_manager
from ucontact_appliance.facts.runner import Runner, SshSettings, runner_for
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.site.model import Host

WAIT_SECONDS = 300.0
_POLL_SECONDS = 2.0
_FINISH_SECONDS = 900.0
_SAID = 2000
# Messages of apt, apt-get, dpkg and Ansible's apt module when another process holds the lock.
_LOCKED = re.compile(
    r"Could not get lock |Unable to acquire the dpkg frontend lock"
    r"|Unable to lock (?:the )?(?:list )?directory"
    r"|Failed to lock apt|dpkg [a-z ]*(?:is|was) locked by another process",
    re.IGNORECASE,
)
# Like the roles' own apt tasks: no questions, the customer's changed configuration files stay, and
# no service starts with the distribution's example configuration (policy-rc.d, /usr/share/doc/init-
# system-helpers). Neither dpkg nor --fix-broken can repair a package whose unpacking was
# interrupted (dpkg-query(1): half-installed, or reinst-required): it is reinstalled.
_FINISH = r"""
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
policy=/usr/sbin/policy-rc.d
if ! test -e $policy; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy || exit
fi
keep="-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
dpkg --force-confdef --force-confold --configure -a </dev/null
status=$?
torn=$(dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package}\n' |
  awk 'substr($0, 2, 1) == "H" || substr($0, 3, 1) == "R" {print $NF}')
if test -n "$torn"; then
  apt-get -y --no-remove $keep install --reinstall $torn </dev/null || exit
fi
if test $status -ne 0 || test -n "$torn"; then
  apt-get -y --no-remove $keep --fix-broken install </dev/null
  status=$?
fi
exit $status
"""

Tell = Callable[[str], None]
Ending = Callable[[], bool]


def says_locked(message: str) -> bool:
    """Return whether a failed task's message says that another process has locked apt or dpkg."""
    return _LOCKED.search(message) is not None


def ready_package_managers(
    hosts: Sequence[Host],
    ssh: SshSettings,
    tell: Tell,
    *,
    finish: bool,
    ending: Ending,
) -> None:
    """Wait on all hosts in parallel until apt is unlocked; report the lock's holder by `tell`.

    With `finish` (our run was interrupted during its changes), half-installed packages are
    finished. `ending` returns whether the run is being ended. Raises PhaseFailedError with the
    holder when the time is up, or with dpkg's output when packages can't be finished.
    """
    left = threading.Event()

    def one(host: Host) -> None:
        with runner_for(host, ssh) as runner:
            state = wait_until_unlocked(host, runner, tell, lambda: left.is_set() or ending())
            if finish and state.unfinished:
                told = _(
                    "{host}: complete the packages that the interrupted run left unfinished",
                    host=host.name,
                )
                tell(told)
                _finish(host, runner)

    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        waits = [pool.submit(one, host) for host in hosts]
        try:
            for waited in waits:
                waited.result()
        except BaseException:
            left.set()
            raise


def wait_until_unlocked(
    host: Host, runner: Runner, tell: Tell, ending: Ending, seconds: float = WAIT_SECONDS
) -> PackageManager:
    """Return the state of the host's package manager once it is unlocked.

    Raises PhaseFailedError when that takes longer than `seconds`, or the run is being ended.
    """
    begin = time.monotonic()
    while True:
        state = look_at_package_manager(runner)
        if not state.holders:
            return state
        named = ", ".join(str(holder) for holder in state.holders)
        waited = time.monotonic() - begin
        if waited > seconds or ending():
            first = state.holders[0]
            raise PhaseFailedError(
                _(
                    "host {name}: apt has been locked for {waited:.0f} s by {named}",
                    name=host.name,
                    waited=waited,
                    named=named,
                ),
                evidence="\n".join(f"{one.file}: {one}" for one in state.holders),
                helps=with_note(
                    _("on {name}: ps -fp {pid}", name=host.name, pid=first.pid),
                    _("wait until it ends, then run the same command again"),
                ),
            )
        tell(
            _(
                "{name}: wait for {named} to release apt ({waited:.0f} s of {seconds:.0f})",
                name=host.name,
                named=named,
                waited=waited,
                seconds=seconds,
            )
        )
        time.sleep(_POLL_SECONDS)


def _finish(host: Host, runner: Runner) -> None:
    done = runner.run(["sh", "-c", _FINISH], timeout=_FINISH_SECONDS)
    if done.status:
        raise PhaseFailedError(
            _(
                "host {name}: the packages that the interrupted run left unfinished "
                "can't be completed",
                name=host.name,
            ),
            evidence=f"{done.stdout}\n{done.stderr}".strip()[-_SAID:],
            helps=with_note(
                _("on {name}: dpkg --configure -a; dpkg --audit", name=host.name),
                _("then apt-get install --reinstall the packages that it lists"),
            ),
        )
