"""The package manager's state: who holds its locks, and what an interrupted run left unfinished."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _


@dataclass(frozen=True)
class LockHolder:
    """A process that holds a lock on a file of apt or dpkg.

    PID 0 without a name is a process that the server can't see (in another namespace).
    """

    pid: int
    name: str
    file: str

    def __str__(self) -> str:
        """The process in words, for a message."""
        return f"{self.name} (process {self.pid})" if self.name else "a process of a container"


@dataclass(frozen=True)
class PackageManager:
    """The state of dpkg on a host.

    `holders` hold its locks right now. `journal` lists the numbered files in /var/lib/dpkg/updates,
    left by an interrupted dpkg (apt refuses to work until `dpkg --configure -a`). `audit` is the
    output of `dpkg --audit` on half-installed packages.
    """

    holders: tuple[LockHolder, ...]
    journal: tuple[str, ...]
    audit: str

    @property
    def unfinished(self) -> bool:
        """Whether an interrupted run left work unfinished; meaningless while dpkg is locked."""
        return bool(self.journal or self.audit)


# apt and dpkg lock by fcntl(2); only F_GETLK reports the holder of such a lock. Every Debian and
# Ubuntu has perl-base (Essential). struct flock of 64-bit Linux: type, whence, start, length, pid.
_SCRIPT = r"""
echo '---- holders'
perl -MFcntl -e '
  for my $file (qw(/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock
                   /var/cache/apt/archives/lock)) {
    open(my $stream, "<", $file) or next;
    my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
    fcntl($stream, F_GETLK, $lock) or next;
    my ($type, undef, undef, undef, $pid) = unpack("s s x4 q q i x4", $lock);
    next if $type == F_UNLCK;
    my $name = "";
    if (open(my $comm, "<", "/proc/$pid/comm")) { chomp($name = <$comm> // ""); }
    print "$pid $file $name\n";
  }'
echo '---- journal'
ls /var/lib/dpkg/updates 2>/dev/null
echo '---- audit'
LC_ALL=C dpkg --audit 2>&1
true
"""
_HOLDER = re.compile(r"(-?[0-9]{1,10}) (/[a-z/-]+) (.{0,64})")


def package_manager(reach: ProbeContext) -> PackageManager:
    """Read dpkg's state, as one of the host's facts."""
    return look_at_package_manager(reach.runner)


def look_at_package_manager(runner: Runner) -> PackageManager:
    """Read dpkg's state; changes nothing. Raises UnreachableError for an unparsable answer."""
    done = runner.run(["sh", "-c", _SCRIPT], timeout=20)
    with parsing(done, _("the state of the package manager can't be read")):
        return parse_package_manager(done.stdout)


def parse_package_manager(text: str) -> PackageManager:
    """Parse the script's output. Raises ValueError or KeyError for anything else."""
    part = sections(text)
    holders: dict[int, LockHolder] = {}
    for line in part["holders"].splitlines():
        found = _HOLDER.fullmatch(line)
        if found is None:
            raise ValueError(f"no holder of a lock: {line[:80]!r}")
        holder = LockHolder(max(0, int(found[1])), found[3].strip(), found[2])
        holders.setdefault(holder.pid, holder)  # one process usually holds all of the locks
    return PackageManager(
        holders=tuple(holders.values()),
        # By apt's own rule (apt-pkg/deb/debsystem.cc, CheckUpdates): digits only.
        journal=tuple(name for name in part["journal"].split() if name.isdigit()),
        audit=part["audit"].strip(),
    )
