"""Disks, folders and recordings."""

from __future__ import annotations

from tests.faults.catalogue.helpers import TREE, ids
from tests.faults.model import Fault, Kind

_MONITOR = "/var/spool/asterisk/monitor"
# A throttle of cgroup v1, for the machine's processes together; whole disks have one.
_SLOW = "/sys/fs/cgroup/blkio/ucontact-slow"
_TMPFS = (
    f"-o {{size}},uid=$(id -u asterisk),gid=$(id -g asterisk),mode=$(stat -c %a {_MONITOR}) "
    f"tmpfs {_MONITOR}"
)
_DAY_OF_ROOT = (
    f"day=$(date +{_MONITOR}/%Y/%m/%d) && mkdir -p $day && "
    f"chmod 0750 $day && chown -R root: {_MONITOR}/2*"
)
_A_RECORDING = (
    f"runuser -u asterisk -- mkdir -p {_MONITOR}/$(date +%Y/%m/%d) && "
    f"cd {_MONITOR}/$(date +%Y/%m/%d) && echo sound > x_6001_43_1700000000.1.gsm"
)
_INDEXED = (
    "for _ in $(seq 60); do sleep 0.5; "
    "[ $(mysql -NBe 'select count(*) from ccdata.recordings') = 0 ] || break; done"
)
_NOT_INDEXED = "mysql -e 'delete from ccdata.recordings'"


def _filled(folder: str, unit: str) -> str:
    """The folder, its content kept, on a file system of its own that has no room left."""
    return (
        f"systemctl stop {unit} && mkdir /root/kept && cp -a {folder}/. /root/kept/ && "
        f"mount -t tmpfs -o size=$(( $(du -sm {folder} | cut -f1) * 2 + 30 ))m,"
        f"mode=$(stat -c %a {folder}),uid=$(stat -c %u {folder}),gid=$(stat -c %g {folder}) "
        f"tmpfs {folder} && "
        f"cp -a /root/kept/. {folder}/ && systemctl start {unit} && sleep 2 && "
        f"! dd if=/dev/zero of={folder}/full bs=1M 2>/dev/null"
    )


FAULTS = (
    Fault(
        "recordings-read-only",
        "the recordings' file system is mounted read-only",
        Kind.STORAGE,
        ids("asterisk.recordings"),
        inject=f"mount --bind {_MONITOR} {_MONITOR} && mount -o remount,bind,ro {_MONITOR}",
        mend=f"umount {_MONITOR}",
    ),
    Fault(
        "recordings-open",
        "everybody may listen to the recordings",
        Kind.STORAGE,
        ids("asterisk.recordings"),
        inject=f"chmod 0755 {_MONITOR}",
    ),
    Fault(
        "recordings-of-root",
        "the recordings' folders of a day belong to root, as after `chown -R root`",
        Kind.STORAGE,
        ids("recordings.tree"),
        inject=_DAY_OF_ROOT,
    ),
    Fault(
        "recordings-lost",
        "a call could not be recorded, and now calls can",
        Kind.STORAGE,
        ids("recordings.lost"),
        inject=f"{_DAY_OF_ROOT} && "
        "asterisk -rx 'channel originate Local/*43@internal application Wait 1' && sleep 4 && "
        f"chown -R asterisk: {_MONITOR}/2*",
        mend="mv /var/log/asterisk/messages.log /root/ && asterisk -rx 'logger reload' && "
        "sleep 5 && mysql -e 'delete from ccdata.cdr'",
    ),
    Fault(
        "recordings-not-synced",
        "nothing brings recordings to the disk while calls are up",
        Kind.STORAGE,
        ids("recordings.kept"),
        inject="systemctl disable --now ucontact-sync 2>/dev/null",
    ),
    Fault(
        "recordings-without-record",
        "a recording has no call record",
        Kind.STORAGE,
        ids("recordings.records"),
        inject=f"{_A_RECORDING} && touch -d '1 hour ago' x_6001_43_1700000000.1.gsm && {_INDEXED}",
        mend=f"rm {_MONITOR}/2*/*/*/x_* && {_NOT_INDEXED}",
    ),
    Fault(
        "recordings-not-indexed",
        "the service that indexes recordings is off",
        Kind.STORAGE,
        ids("recordings.index"),
        inject="systemctl disable --now ucontact-recordings 2>/dev/null",
    ),
    Fault(
        "recordings-index-incomplete",
        "a recording of an hour ago is not in the index, and the service does not find it",
        Kind.STORAGE,
        ids("recordings.index"),
        inject=f"{_A_RECORDING} && touch -d '1 hour ago' x_6001_43_1700000000.1.gsm && "
        f"{_INDEXED} && systemctl kill -s STOP ucontact-recordings && {_NOT_INDEXED}",
        also={"recordings.records": "the recording has no call record either"},
        mend=f"systemctl kill -s CONT ucontact-recordings; rm {_MONITOR}/2*/*/*/x_* && "
        f"systemctl restart ucontact-recordings && {_NOT_INDEXED}",
    ),
    Fault(
        "recordings-changed",
        "a recording is not what it was when it was indexed",
        Kind.STORAGE,
        ids("recordings.hashes"),
        # Older than what is held against the call records.
        inject=f"{_A_RECORDING} && touch -d '3 days ago' x_6001_43_1700000000.1.gsm && "
        f"{_INDEXED} && echo noise >> x_6001_43_1700000000.1.gsm && "
        "touch -d '3 days ago' x_6001_43_1700000000.1.gsm",
        mend=f"rm {_MONITOR}/2*/*/*/x_* && {_NOT_INDEXED}",
    ),
    Fault(
        "recordings-full",
        "the recordings' file system is full",
        Kind.STORAGE,
        ids("disk.recordings"),
        inject=f"mount -t tmpfs {_TMPFS.format(size='size=20m')} && "
        f"! dd if=/dev/zero of={_MONITOR}/full bs=1M 2>/dev/null",
        mend=f"umount {_MONITOR}",
    ),
    Fault(
        "recordings-inodes",
        "the recordings' file system has no inode left",
        Kind.STORAGE,
        ids("disk.recordings"),
        inject=f"mount -t tmpfs {_TMPFS.format(size='size=2g,nr_inodes=50')} && "
        f"! touch {_MONITOR}/f{{1..60}} 2>/dev/null",
        mend=f"umount {_MONITOR}",
    ),
    Fault(
        "recordings-growing",
        "recordings grow faster than the disk can hold them for the retention's days",
        Kind.STORAGE,
        ids("disk.growth"),
        # It counts by its length and takes no room.
        inject=f"truncate -s 4T {_MONITOR}/long.gsm",
        mend=f"rm {_MONITOR}/long.gsm",
    ),
    Fault(
        "disk-slow",
        "every write waits for the disk",
        Kind.STORAGE,
        ids("disk.latency"),
        here=f'mkdir {_SLOW} && echo "$(findmnt -no MAJ:MIN -T "$ROOT/..") 20" > '
        f"{_SLOW}/blkio.throttle.write_iops_device && "
        f'for one in $(pgrep --ns "$LEADER" --nslist pid .); do echo $one > {_SLOW}/cgroup.procs; '
        "done",
        mend_here=f"for one in $(cat {_SLOW}/cgroup.procs); do "
        f"echo $one > {_SLOW}/../cgroup.procs; done; rmdir {_SLOW}",
    ),
    Fault(
        "var-inodes",
        "the file system of /var has no inode left",
        Kind.STORAGE,
        ids("disk.inodes"),
        inject="mkdir /root/var && mount -t tmpfs -o "
        "nr_inodes=$(( $(find /var | wc -l) + 300 )) tmpfs /root/var && "
        "cp -a /var/. /root/var/ && mount --bind /root/var /var && mkdir /var/full && "
        "! (cd /var/full && for i in $(seq 2000); do : > $i; done) 2>/dev/null",
        also={"disk.recordings": "recordings lie on it"},
        mend="umount -l /var",
    ),
    Fault(
        "var-full",
        "the file system of /var is full",
        Kind.STORAGE,
        ids("disk.space"),
        inject="mkdir /root/var && mount -t tmpfs -o "
        "size=$(( $(du -sm /var | cut -f1) + 100 ))m tmpfs /root/var && cp -a /var/. /root/var/ && "
        "mount --bind /root/var /var && ! dd if=/dev/zero of=/var/full bs=1M 2>/dev/null",
        also={"disk.recordings": "recordings lie on it"},
        mend="umount -l /var",
    ),
    Fault(
        "release-read-only",
        "the release's file system is mounted read-only",
        Kind.STORAGE,
        ids("disk.writable"),
        inject=f"mount --bind {TREE} {TREE} && mount -o remount,bind,ro {TREE}",
        mend=f"umount {TREE}",
    ),
    Fault(
        "database-full",
        "the file system of the database is full",
        Kind.STORAGE,
        ids("disk.space"),
        inject=_filled("/var/lib/mysql", "mysql"),
        mend="rm /var/lib/mysql/full",
    ),
    Fault(
        "logs-full",
        "the file system of Asterisk's logs is full",
        Kind.STORAGE,
        ids("disk.space"),
        inject=_filled("/var/log/asterisk", "asterisk"),
        mend="rm /var/log/asterisk/full",
    ),
    Fault(
        "retention-stopped",
        "old recordings are no longer deleted",
        Kind.STORAGE,
        ids("disk.retention"),
        inject="systemctl disable --now ucontact-retention.timer 2>/dev/null",
    ),
    Fault(
        "row-retention-stopped",
        "old rows about calls are no longer deleted",
        Kind.STORAGE,
        ids("mysql.row_retention"),
        inject="systemctl disable --now ucontact-row-retention.timer 2>/dev/null",
    ),
)
