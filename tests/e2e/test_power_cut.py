"""What a power cut leaves of a call that is up: its recording, but for the last seconds, and its
record.

A killed machine is no power cut: what the kernel holds in memory lives on. So the recordings and
the database are on disks of their own (loop devices), of which a copy is taken while the call is
up: whatever has not reached the disk by then is not in the copy. The machine goes on with the
copies, as after the power has come back.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.snapshot import Snapshot
from ucontact_appliance.lab import processes

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

MONITOR = "/var/spool/asterisk/monitor"
DATABASE = "/var/lib/mysql"
OCTETS_A_SECOND = 1650  # GSM 06.10
# Asterisk itself keeps that much of each recording back (main/file.c): no way around it.
HELD_BACK = 32768
TALKED = 45


def here(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout.strip()


class Disk:
    """A disk of the site's machine, in a file of this one."""

    def __init__(self, site: Snapshot, image: Path, folder: str) -> None:
        self.site, self.image, self.folder = site, image, folder
        self.device = ""

    def make(self, megabytes: int) -> None:
        with self.image.open("wb") as file:
            file.truncate(megabytes << 20)
        here("mkfs.ext4", "-q", str(self.image))

    def mount(self) -> None:
        self.device = here("losetup", "--find", "--show", str(self.image))
        numbers = here("stat", "-c", "%t %T", self.device).split()
        major, minor = (int(number, 16) for number in numbers)
        # Its own mounts, this machine's rights.
        leader = processes.leader(self.site.machine.root)
        script = f"mknod /dev/cut b {major} {minor} && mount /dev/cut {self.folder} && rm /dev/cut"
        here("nsenter", "-t", str(leader), "-m", "sh", "-ec", script)

    def free(self) -> None:
        if self.device:
            here("losetup", "--detach", self.device)
            self.device = ""


@pytest.fixture
def disks(small_site: Snapshot, tmp_path: Path) -> Iterator[tuple[Disk, Disk]]:
    small_site.restore()
    monitor = Disk(small_site, tmp_path / "monitor.img", MONITOR)
    database = Disk(small_site, tmp_path / "database.img", DATABASE)
    try:
        monitor.make(64)
        done(small_site, "systemctl stop mysql asterisk ucontact-sync ucontact-records")
        done(small_site, f"cp -a {DATABASE} /root/kept")
        database.make(1500)
        for disk in (monitor, database):
            done(small_site, f"stat -c '%U:%G %a' {disk.folder} > /root/owner")
            disk.mount()
            done(
                small_site,
                f"read owner mode < /root/owner; chown $owner {disk.folder}; "
                f"chmod $mode {disk.folder}",
            )
        done(small_site, f"cp -a /root/kept/. {DATABASE}/ && sync -f {DATABASE}")
        started(small_site)
        yield monitor, database
    finally:
        small_site.restore()  # a new machine: the old one's mounts are gone with it
        monitor.free()
        database.free()


def done(site: Snapshot, script: str) -> str:
    ran = site.there(script)
    assert ran.returncode == 0, f"{script}: {ran.stdout}{ran.stderr}"
    return ran.stdout.strip()


def started(site: Snapshot) -> None:
    done(site, "systemctl start mysql asterisk ucontact-sync ucontact-records")
    done(site, "asterisk -rx 'core waitfullybooted'")


def cut(site: Snapshot, disks: tuple[Disk, ...], folder: Path) -> tuple[Disk, ...]:
    """The disks as they are at this moment; then the power is gone."""
    units = "asterisk mysql ucontact-sync ucontact-records"
    done(site, f"systemctl kill --signal=STOP {units}")  # or the copy is none of one moment
    copies = tuple(Disk(site, folder / f"cut-{disk.image.name}", disk.folder) for disk in disks)
    for disk, copy in zip(disks, copies, strict=True):
        here("cp", "--sparse=always", str(disk.image), str(copy.image))
    # `stop` at once: systemd would start what was killed again.
    done(site, f"systemctl kill --signal=KILL {units}; systemctl stop {units}")
    for disk in disks:
        done(site, f"umount -l {disk.folder}")
        disk.free()
    done(site, "systemctl reset-failed")
    return copies


def test_a_call_that_is_up_keeps_its_recording_and_its_record(
    small_site: Snapshot, disks: tuple[Disk, Disk], tmp_path: Path
) -> None:
    done(small_site, "asterisk -rx 'channel originate Local/*43@internal application Milliwatt'")
    time.sleep(TALKED)
    copies = cut(small_site, disks, tmp_path)
    try:
        for copy in copies:
            copy.mount()
        started(small_site)
        (line,) = done(small_site, f"find {MONITOR} -name '*.gsm' -printf '%s %P\\n'").splitlines()
        size, _, recording = line.partition(" ")
        lost = TALKED - int(size) / OCTETS_A_SECOND
        assert lost < HELD_BACK / OCTETS_A_SECOND + 6, f"{lost:.1f} s of the recording are lost"
        rows = completed(small_site)
        assert [row for row in rows if row[3] == recording], rows
        (row,) = (row for row in rows if row[3] == recording)
        assert row[1] == "ANSWERED"
        assert int(row[2]) > TALKED - 12
        assert not done(small_site, "mysql -Ne 'select * from ccdata.cdr_open'")
    finally:
        for copy in copies:
            copy.free()


def completed(site: Snapshot) -> list[list[str]]:
    """The call records, as soon as there are any."""
    query = "select uniqueid, disposition, billsec, userfield from ccdata.cdr"
    end = time.monotonic() + 30
    while True:
        rows = done(site, f'mysql -N --batch -e "{query}"').splitlines()
        if rows or time.monotonic() > end:
            return [row.split("\t") for row in rows]
        time.sleep(1)
