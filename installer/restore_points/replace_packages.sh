# replace_packages.sh POINT DATABASE UNIT... -- PACKAGE..., for bash: install newer packages, then
# restart their services.
#
# No service is restarted by its package: a phase of an upgrade does that once, and judges it. With
# DATABASE "yes" MySQL is stopped first and its data copied: an older server never starts on the data
# of a newer one.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_MODE=l
point=/var/lib/ucontact-restore-points/$1
database=$2
shift 2
units=()
while [ "$1" != -- ]; do
  units+=("$1")
  shift
done
shift

apt=(apt-get --yes --quiet --no-install-recommends --no-remove --allow-change-held-packages
  --only-upgrade -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confdef
  -o Dpkg::Options::=--force-confold)
"${apt[@]}" --download-only install "$@" </dev/null

if [ "$database" = yes ]; then
  systemctl stop mysql.service
  rm -rf "$point/data.partial"
  cp -a --reflink=auto /var/lib/mysql "$point/data.partial"
  sync -f "$point"
  rm -rf "$point/data"
  mv -T "$point/data.partial" "$point/data"
  touch "$point/data.changed"
  sync -f "$point"
fi

# The module apt_packages knows a policy of ours by its text, and removes one that was left.
policy=/usr/sbin/policy-rc.d
ours='# By the uContact appliance, while it installs packages'
if ! [ -e "$policy" ] || grep -qxF "$ours" "$policy"; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\n%s\nexit 101\n' "$ours" >"$policy"
  chmod 0755 "$policy"
fi
"${apt[@]}" install "$@" </dev/null
apt-mark hold "$@" >/dev/null
systemctl daemon-reload
for unit in "${units[@]}"; do
  if systemctl is-enabled --quiet "$unit"; then systemctl restart "$unit"; fi
done
