"""Back up each file on its own server before the first installation overwrites it.

This happens once per file: a list beside the copies has every path already handled, so that a file
written by a role is never taken for an original. One command per server; a second run copies none.
The first run also lists packages and accounts that are there before ours, for `ucontact uninstall`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.foreign import KEPT
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.component_tables import changed_paths, managed_paths
from ucontact_appliance.planning.model import Plan, PlannedHost
from ucontact_appliance.printable import printable
from ucontact_appliance.site.model import Site

ORIGINALS = f"{KEPT}/originals"
_SECONDS = 60.0
_SAID = 4000
# `$1` is the folder. If an earlier version of the appliance installed without backups, the files
# are the roles' own: they are listed, not copied. A path is listed only after its copy.
_SCRIPT = r"""
set -eu
kept=$1
shift
umask 077
list=$kept/originals.list
copy=yes
[ -e "$list" ] || [ ! -e /etc/ssl/ucontact/ca.pem ] || copy=no
mkdir -p "$kept"
chmod 0700 "$kept"
touch "$list"
rm -f "$kept/uninstalled"
exec 9<"$list"
flock 9  # two phases begin side by side: neither goes on before the files are kept
if [ "$copy" = yes ] && [ ! -s "$list" ]; then
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
    sed -n 's/^installed //p' >"$kept/packages.before"
  { getent passwd | cut -d : -f 1 | sed 's/^/account /'
    getent group | cut -d : -f 1 | sed 's/^/group /'; } >"$kept/accounts.before"
fi
printf '%s\n' "$@" | grep -vxF -f "$list" | while IFS= read -r path; do
  if [ "$copy" = yes ] && { [ -f "$path" ] || [ -L "$path" ]; }; then
    mkdir -p "$kept/originals"
    cd /
    cp -a --parents ".$path" "$kept/originals/"
    printf '%s\n' "$path"
  fi
  printf '%s\n' "$path" >>"$list"
done
"""


def keep_originals(site: Site, plan: Plan, ssh: SshSettings) -> Mapping[str, tuple[str, ...]]:
    """Copy files that roles will overwrite and that are not listed yet; return them per host.

    Raises PhaseFailedError when a copy fails; then nothing is overwritten.
    """
    kept = {}
    for host in site.hosts:
        with runner_for(host, ssh) as runner:
            words = ["sh", "-c", _SCRIPT, "sh", KEPT, *written_paths(plan.host(host.name))]
            done = runner.run(words, timeout=_SECONDS)
        if done.status:
            raise PhaseFailedError(
                _("the existing files on {name} can't be backed up", name=host.name),
                evidence=(done.stderr or done.stdout)[-_SAID:],
                helps=_(
                    "free disk space for {folder} on {name}; nothing was overwritten yet",
                    folder=KEPT,
                    name=host.name,
                ),
            )
        if done.stdout:
            kept[host.name] = tuple(printable(line) for line in done.stdout.splitlines())
    return kept


def written_paths(host: PlannedHost) -> tuple[str, ...]:
    """Return the files that the host's roles write, change or remove and that others may own."""
    return tuple(dict.fromkeys((*managed_paths(host), *changed_paths(host))))
