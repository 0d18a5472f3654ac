"""An installation lets Ansible converge what differs, and nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.installed import Installed, unchanged_phases
from tests.faults.snapshot import Snapshot
from tests.recorded_states import different_now
from ucontact_appliance.facts.call import SHORT_SECONDS, Attempt, echo_call
from ucontact_appliance.facts.login import login_status
from ucontact_appliance.facts.runner import LocalRunner, SshSettings, runner_for
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.install.unchanged import load_states
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import StatePaths

pytestmark = pytest.mark.machine

_ADDED = "6099"
_CALL_SECONDS = 25.0  # longer than the installation that runs meanwhile
_SERVICES = "asterisk nginx mysql coturn integraserver"
# Each changes an item of one kind, in a way that leaves the services at work.
_CHANGES = {
    "path": "if test -e {0}; then chmod +t {0}; else mkdir -p $(dirname {0}) && touch {0}; fi",
    "tree": "chmod +t {0}",
    "account": "usermod -c changed {0}",
    "package": "apt-mark -qq auto {0}",
    "table": "nft add chain {0} changed",
    "running kernel": "sysctl -qw net.core.somaxconn=4095",
    "running mysql": "mysql -e 'set global max_connections = 99'",
    "running asterisk": "asterisk -rx 'module unload app_zapateller.so'",
    "running spool": "chown root: /var/spool/asterisk/monitor",
}
# The number of a group can't be changed without its files.
_SPARED = {"group ucontact-tls"}


def items_on_record(paths: StatePaths, host: str) -> dict[str, dict[str, str]]:
    """The state of each item by phase."""
    return {phase: state.hosts[host] for phase, state in load_states(paths).phases.items()}


def phases_on_record(site: Snapshot) -> int:
    """How many phases an installation may leave out."""
    return len(load_states(site.paths).phases)


def newest_log(paths: StatePaths) -> str:
    """The log of the newest installation."""
    return max(paths.logs.iterdir(), key=lambda path: path.stat().st_mtime).read_text()


def test_where_nothing_differs_no_playbook_runs(installed: Installed, small_site: Snapshot) -> None:
    done = installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    done = installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert "call    a real call carried audio: 440 Hz" in done.stdout
    assert unchanged_phases(done.stderr) == phases_on_record(small_site) == 10
    assert "TASK [" not in newest_log(small_site.paths)
    done = installed.ucontact("install", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was changed" in done.stdout


def test_an_added_extension_runs_one_phase_and_cuts_no_call(
    installed: Installed, small_site: Snapshot
) -> None:
    site_file, text = small_site.site_file, small_site.site_file.read_text()
    processes = f"systemctl show --property Id,MainPID {_SERVICES}"
    before = installed.sh(processes)
    try:
        with ThreadPoolExecutor(max_workers=1) as other:
            call = other.submit(_held_call, installed, small_site)
            _until_a_call_is_up(installed)
            done = installed.ucontact("extension", "add", _ADDED, "--apply")
            record = call.result().record
        assert done.returncode == 0, done.stdout + done.stderr
        assert unchanged_phases(done.stderr) == phases_on_record(small_site) - 1
        assert f"call    a real call carried audio: 440 Hz for {SHORT_SECONDS} s" in done.stdout
        log = newest_log(small_site.paths)
        assert "differs: input secrets.telephony.extensions, input site.telephony.ext" in log
        assert "telephony : Load the accounts and numbers of the extensions" in log
        assert "telephony : Services" not in log
        assert record is not None
        assert record.heard.seconds > 0.97 * _CALL_SECONDS
        assert 100 * record.media.lost < record.media.received
        assert installed.sh(processes) == before
        assert _login(installed, small_site, _ADDED) == 200
        done = installed.ucontact("extension", "remove", _ADDED, "--apply")
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        site_file.write_text(text)
    assert unchanged_phases(done.stderr) == phases_on_record(small_site) - 1
    assert installed.sh(processes) == before


def _held_call(installed: Installed, small_site: Snapshot) -> Attempt:
    """A call of 6001 to the echo test."""
    site = load_site(small_site.site_file)
    roots = str(small_site.paths.pki / "portal-ca.pem")
    with runner_for(site.hosts[0], SshSettings(small_site.paths.known_hosts)) as runner:
        reach = ProbeContext(site, site.hosts[0], runner)
        secret = installed.secret("telephony.extensions.6001")
        return echo_call(reach, "6001", secret, roots, _CALL_SECONDS)


def _until_a_call_is_up(installed: Installed) -> None:
    end = time.monotonic() + 15
    while "0 active channels" in installed.sh("asterisk -rx 'core show channels count'"):
        assert time.monotonic() < end, "no call came up"
        time.sleep(0.5)


def _login(installed: Installed, small_site: Snapshot, extension: str) -> int:
    site = load_site(small_site.site_file)
    reach = ProbeContext(site, site.hosts[0], LocalRunner())
    secret = installed.secret(f"telephony.extensions.{extension}")
    return login_status(reach, extension, secret, str(small_site.paths.pki / "portal-ca.pem"))


def test_every_managed_thing_that_was_changed_opens_its_phase(
    installed: Installed, small_site: Snapshot
) -> None:
    """An item has a state of its own, so all can be changed at once; then one run mends them."""
    site, paths, host = small_site.site_file, small_site.paths, small_site.machine.name
    assert not any(different_now(site, paths).values())
    recorded = items_on_record(paths, host)
    every = {item: state for items in recorded.values() for item, state in items.items()}
    units = {item for item in every if item.startswith("unit ")}
    absent = {i for i in every if i.startswith("package ") and "ok installed" not in every[i]}
    changed = every.keys() - units - absent - _SPARED
    names = " ".join(sorted(unit.removeprefix("unit ") for unit in units))
    # Before anything is broken: then services that can't start are started again and again.
    look = (
        f"for _ in $(seq 30); do systemctl is-active {names} | grep -q ing || break; sleep 0.5; "
        f"done; systemctl is-enabled {names}; systemctl is-active {names} || :"
    )
    before = installed.sh(look)

    installed.sh("set -e\n" + "\n".join(_change(item) for item in sorted(changed)))
    different = different_now(site, paths)
    for phase, items in recorded.items():
        assert (different[phase] - units) ^ (items.keys() & changed) == set(), phase
    installed.sh(f"systemctl disable --now {names} 2>&1")
    different = different_now(site, paths)
    assert units <= set().union(*different.values())

    done = installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert unchanged_phases(done.stderr) == 0
    assert not any(different_now(site, paths).values())
    assert installed.sh(look) == before
    for item in (item for item in changed if item.startswith("tree ")):
        installed.sh(f"chmod -t {item.removeprefix('tree ')}")  # no role looks after all of them


def _change(item: str) -> str:
    kind, _, name = item.partition(" ")
    return _CHANGES[item if kind == "running" else kind].format(name)
