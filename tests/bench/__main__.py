"""`make bench`: how long an installation takes, beside the least that it could take.

The floor is apt-get laying down the same packages by hand on an equal machine, in the same run; the
figures that count are the ratios, because machines are noisy. Then what calls cost, predicted and
measured: `tests/bench/capacity.py`, and what encryption does: `tests/bench/srtp.py`.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import capacity, srtp
from ucontact_appliance.lab import layout, machines
from ucontact_appliance.lab.machines import Machine, Spec
from ucontact_appliance.state import var_root

FLOOR = (
    "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "
    "--no-install-recommends asterisk mysql-server-core mysql-client-core nginx coturn fail2ban "
    "openjdk-8-jre-headless unixodbc odbc-mariadb nftables chrony"
)


_TRIPS = 5


def timed(act: Callable[[], object]) -> float:
    """Wall time in seconds."""
    start = time.monotonic()
    act()
    return time.monotonic() - start


def ucontact(site: Path, environment: dict[str, str], *words: str) -> None:
    """Run a command on the site; a failure ends the bench."""
    subprocess.run(
        [sys.executable, "-m", "ucontact_appliance", *words, "--site", str(site)],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def by_hand(machine: Machine) -> None:
    """The floor."""
    done = machine.ssh([FLOOR], timeout=900)
    assert done.returncode == 0, done.stderr


def main() -> None:
    """Two fresh machines, one by hand, one by the appliance; then the second run and the doctor.

    The doctor has a floor of its own: one command that does nothing, by a fresh ssh connection.
    """
    names = (f"b-floor-{os.getpid()}", f"b-site-{os.getpid()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "UCONTACT_ETC": str(folder / "etc")}
        try:
            floor_machine, site_machine = (
                machines.up(Spec(name), lambda text: None) for name in names
            )
            site = folder / "site.yml"
            site.write_text(
                f"site: {site_machine.name}\nfqdn: bench.ucontact.test\nagents: 10\nhosts:\n"
                f"  - {{name: server, address: {site_machine.address}, key: {layout.ssh_key()}}}\n"
            )
            floor = timed(lambda: by_hand(floor_machine))
            first = timed(lambda: ucontact(site, environment, "install", "--yes"))
            second = timed(lambda: ucontact(site, environment, "install", "--yes"))
            trip = timed(lambda: [site_machine.ssh(["true"]) for _ in range(_TRIPS)]) / _TRIPS
            doctor = timed(lambda: ucontact(site, environment, "doctor"))
            deep = timed(lambda: ucontact(site, environment, "doctor", "--deep"))
        finally:
            shutil.rmtree(var_root() / names[1], ignore_errors=True)
            machines.down([m.name for m in machines.listed() if m.name in names], lambda text: None)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"packages by hand (floor)   {floor:6.1f} s   1.0")
    for what, seconds in (
        ("first install", first),
        ("second install, changed=0", second),
        ("doctor", doctor),
        ("doctor with a call", deep),
    ):
        print(f"{what:<26} {seconds:6.1f} s   {seconds / floor:.1f} x the floor")
    print(f"one command by ssh (floor)  {trip:5.2f} s   1.0")
    print(f"{'doctor':<26} {doctor:6.1f} s   {doctor / trip:.0f} x that floor")
    print(f"peak memory of one process {peak} MB")


if __name__ == "__main__":
    main()
    capacity.main()
    srtp.main()
