# uninstall.sh DATA, for bash: remove what the appliance installed on this server.
#
# Standard input: lines "package NAME", "pins FILE" (apt preferences with the names of a vendor's
# packages), "unit NAME [PACKAGE...]", "path FILE", "changed FILE", "tree
# FOLDER", "data FOLDER", "again COMPONENT", "table FAMILY NAME", "account NAME", "group NAME". DATA is
# "keep" or "remove". What was there before the appliance stays, and gets its original files back.
# Standard output: lines "removed ...", "restored ..." and "kept ...". Run again after an interruption,
# it finishes.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
data=$1
kept=/var/backups/ucontact
items=$(cat)
if [ -e "$kept/uninstalled" ]; then exit 0; fi

named() { printf '%s\n' "$items" | sed -n "s/^$1 //p"; }
before() { [ ! -e "$kept/$1" ] || grep -qxF -- "$2" "$kept/$1"; }
there() { [ -e "$1" ] || [ -L "$1" ]; }
going() { apt-get -s -q "$@" </dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p' | sort -u; }
# Packages that somebody asked apt for, and that go with these; ours are in `asked`.
needing() {
  comm -12 <(going remove "$@") <(apt-mark showmanual | sort -u) |
    comm -23 - <(printf '%s\n' "${asked[@]}" | sort -u)
}

# Units first: nothing of ours runs while its files go.
named unit | while read -r unit _; do
  if systemctl cat "$unit" >/dev/null 2>&1; then
    systemctl disable --quiet --now "$unit" 2>/dev/null || systemctl stop "$unit"
  fi
done

named table | while read -r family table; do
  if nft list table "$family" "$table" >/dev/null 2>&1; then
    nft delete table "$family" "$table"
    echo "removed table $family $table"
  fi
done

# Without the list of those that were there before, no package is known to be ours.
ours=()
while read -r package; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || echo none)
  [ "$status" = installed ] || continue
  apt-mark unhold "$package" >/dev/null
  if before packages.before "$package"; then
    echo "kept package $package"
  else
    ours+=("$package")
  fi
done < <({
  named package
  named pins | while read -r file; do [ ! -e "$file" ] || sed -n 's/^Package: //p' "$file"; done
} | sort -u)
# What somebody has installed since, and needs one of ours, stays with it.
asked=("${ours[@]}")
if [ ${#ours[@]} -gt 0 ] && [ -n "$(needing "${asked[@]}")" ]; then
  ours=()
  for package in "${asked[@]}"; do
    users=$(needing "$package" | paste -s -d ' ')
    if [ -z "$users" ]; then
      ours+=("$package")
    else
      echo "kept package $package, which is needed by $users"
    fi
  done
fi
if [ ${#ours[@]} -gt 0 ]; then
  verb=remove
  [ "$data" = keep ] || verb=purge
  unneeded=$(going autoremove)
  apt-get -y -q -o DPkg::Lock::Timeout=60 "$verb" "${ours[@]}" </dev/null >&2
  printf 'removed package %s\n' "${ours[@]}"
  # What came along with them, and nobody else's.
  along=()
  while read -r package; do
    before packages.before "$package" || along+=("$package")
  done < <(comm -13 <(printf '%s\n' "$unneeded") <(going autoremove))
  if [ ${#along[@]} -gt 0 ]; then
    apt-get -y -q -o DPkg::Lock::Timeout=60 "$verb" "${along[@]}" </dev/null >&2
    echo "removed ${#along[@]} packages that came along with them"
  fi
fi

named path | while read -r path; do
  original=$kept/originals$path
  if there "$original"; then
    mkdir -p "$(dirname "$path")"
    cp -a --remove-destination "$original" "$path.ucontact-back"
    mv -fT "$path.ucontact-back" "$path"
    echo "restored $path"
  elif there "$path"; then
    rm -f "$path"
    echo "removed $path"
  fi
done
# Files that are not ours alone.
named changed | while read -r path; do
  if there "$kept/originals$path"; then
    cp -a --remove-destination "$kept/originals$path" "$path.ucontact-back"
    mv -fT "$path.ucontact-back" "$path"
    echo "restored $path"
  elif there "$path"; then
    echo "kept $path"
  fi
done
named tree | while read -r folder; do
  if there "$folder"; then
    rm -rf "$folder"
    echo "removed $folder"
  fi
done
named data | while read -r folder; do
  there "$folder" || continue
  if [ "$data" = keep ]; then
    echo "kept $folder ($(du -sh "$folder" | cut -f 1))"
  else
    rm -rf "$folder"
    echo "removed $folder"
  fi
done

# The next installation takes this data for ours (facts/foreign.py), not for somebody else's.
if [ "$data" = keep ]; then
  named again | while read -r component; do
    mkdir -p -m 0700 "$kept" "$kept/taken-over"
    touch "$kept/taken-over/$component"
  done
fi

# An account whose files stay stays too: their owner would become a number.
if [ "$data" = remove ]; then
  named account | while read -r account; do
    if getent passwd "$account" >/dev/null && ! before accounts.before "account $account"; then
      userdel "$account"
      echo "removed account $account"
    fi
  done
fi
named group | while read -r group; do
  if getent group "$group" >/dev/null && ! before accounts.before "group $group"; then
    groupdel "$group"
    echo "removed group $group"
  fi
done

systemctl daemon-reload
# Services that were there before run with their own configuration again.
named unit | while read -r unit packages; do
  for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || echo none)
    if [ "$status" = installed ] && systemctl cat "$unit" >/dev/null 2>&1; then
      systemctl enable --quiet --now "$unit"
      echo "kept $unit"
      break
    fi
  done
done

for script in "$kept"/*/restore.sh; do
  if [ -e "$script" ]; then echo "kept $script: it puts back what was taken over"; fi
done
# A second run must not take restored files for ours. The next installation removes the mark.
mkdir -p -m 0700 "$kept"
touch "$kept/uninstalled"
sync -f "$kept/uninstalled"
rm -rf "$kept/originals" "$kept/originals.list" "$kept/packages.before" "$kept/accounts.before"
