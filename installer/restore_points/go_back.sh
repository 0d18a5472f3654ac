# go_back.sh POINT, for bash: bring this server back to a restore point.
#
# Prints a line for each change. Run again after an interruption, it finishes; run on a server that is
# as it was, it changes nothing.
set -euo pipefail
point=/var/lib/ucontact-restore-points/$1
if [ ! -e "$point/complete" ]; then
  echo "there is no complete restore point in $point" >&2
  exit 1
fi

declare -A restarted

same() {
  if [ -L "$1" ] || [ -L "$2" ]; then
    [ -L "$1" ] && [ -L "$2" ] && [ "$(readlink "$1")" = "$(readlink "$2")" ]
  else
    [ -f "$2" ] && cmp -s "$1" "$2" &&
      [ "$(stat -c '%a %u:%g' "$1")" = "$(stat -c '%a %u:%g' "$2")" ]
  fi
}

there() { [ -e "$1" ] || [ -L "$1" ]; }

# The data of a MySQL that was upgraded, before its older server is put back.
if [ -e "$point/data.changed" ]; then
  systemctl stop mysql.service
  rm -rf /var/lib/mysql.ucontact-back
  cp -a --reflink=auto "$point/data" /var/lib/mysql.ucontact-back
  sync -f /var/lib/mysql.ucontact-back
  if [ -e /var/lib/mysql ] && [ ! -e "$point/data.replaced" ]; then
    mv -T /var/lib/mysql "$point/data.replaced"
  fi
  rm -rf /var/lib/mysql
  mv -T /var/lib/mysql.ucontact-back /var/lib/mysql
  echo "restored /var/lib/mysql"
  restarted[mysql.service]=1
fi

if [ -e "$point/packages" ]; then
  replaced=()
  while read -r name version; do
    if [ "$(dpkg-query -W -f '${Version}' "$name")" != "$version" ] ||
      ! dpkg-query -W -f '${Status}' "$name" | grep -q ' ok installed$'; then
      replaced+=("$name")
    fi
  done <"$point/packages"
  if [ ${#replaced[@]} -gt 0 ] || [ -n "$(dpkg --audit)" ]; then
    # The module apt_packages knows a policy of ours by its text, and removes one that was left.
    policy=/usr/sbin/policy-rc.d
    ours='# By the uContact appliance, while it installs packages'
    if ! [ -e "$policy" ] || grep -qxF "$ours" "$policy"; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\n%s\nexit 101\n' "$ours" >"$policy"
      chmod 0755 "$policy"
    fi
    if [ ${#replaced[@]} -gt 0 ]; then
      DEBIAN_FRONTEND=noninteractive LC_ALL=C dpkg --force-confdef --force-confold \
        --force-downgrade --install "$point"/debs/*.deb </dev/null >&2
    fi
    # Packages that came along, and whose installation was cut off.
    DEBIAN_FRONTEND=noninteractive LC_ALL=C dpkg --force-confdef --force-confold --configure -a \
      </dev/null >&2
    # dpkg takes holds away.
    xargs -r apt-mark hold <"$point/held" >/dev/null
    for name in "${replaced[@]}"; do echo "restored package $name"; done
    # Any service may use them.
    while read -r kind unit _; do
      if [ "$kind" = unit ]; then restarted[$unit]=1; fi
    done <"$point/items"
  fi
fi

# Schemas that a release has changed. Whoever writes to them was stopped before, on every server.
if [ -e "$point/schemas.changed" ]; then
  systemctl start mysql.service
  login=(--no-defaults --socket=/run/mysqld/mysqld.sock --user=root)
  if [ ! -e "$point/schemas.replaced.sql.gz" ]; then
    # shellcheck disable=SC2046
    mysqldump "${login[@]}" --single-transaction --quick --hex-blob --no-tablespaces \
      --set-gtid-purged=OFF --databases $(cat "$point/databases") |
      (umask 077 && gzip -1 >"$point/schemas.replaced.partial")
    mv -T "$point/schemas.replaced.partial" "$point/schemas.replaced.sql.gz"
  fi
  gunzip <"$point/schemas.sql.gz" | mysql "${login[@]}"
  printf 'restored database %s\n' $(cat "$point/databases")
fi

# Units that came later: their files are removed below.
while read -r unit load _ _; do
  if [ "$load" = not-found ] && systemctl cat "$unit" >/dev/null 2>&1; then
    systemctl disable --now "$unit" 2>/dev/null || systemctl stop "$unit"
    echo "stopped $unit"
  fi
done <"$point/units"

while read -r kind path units; do
  [ "$kind" = path ] || continue
  kept=$point/files$path
  if there "$kept"; then
    if same "$kept" "$path"; then continue; fi
    mkdir -p "$(dirname "$path")"
    cp -a --remove-destination "$kept" "$path.ucontact-back"
    mv -fT "$path.ucontact-back" "$path"
    echo "restored $path"
  elif there "$path"; then
    rm -f "$path"
    echo "removed $path"
  else
    continue
  fi
  for unit in $units; do restarted[$unit]=1; done
done <"$point/items"

if [ -e "$point/release" ]; then
  root=$(cat "$point/root")
  target=$(cat "$point/release")
  if ! diff -rq --no-dereference "$point/tree" "$root/$target" >/dev/null 2>&1; then
    rm -rf "$root/$target.partial"
    cp -a "$point/tree" "$root/$target.partial"
    rm -rf "${root:?}/$target"
    mv -T "$root/$target.partial" "$root/$target"
    echo "restored $root/$target"
    restarted[integraserver.service]=1
  fi
  if ! [ -L "$root/current" ] || [ "$(readlink "$root/current")" != "$target" ]; then
    ln -sfn "$target" "$root/current.new"
    mv -fT "$root/current.new" "$root/current"
    echo "in use: $target"
    restarted[integraserver.service]=1
  fi
fi

systemctl daemon-reload
again=()
while read -r unit load active enabled; do
  [ "$load" != not-found ] || continue
  case $enabled in
    enabled) systemctl is-enabled --quiet "$unit" || systemctl enable --quiet "$unit" ;;
    disabled) ! systemctl is-enabled --quiet "$unit" || systemctl disable --quiet "$unit" ;;
  esac
  [ "$active" = active ] || continue
  if [ -n "${restarted[$unit]:-}" ] || ! systemctl is-active --quiet "$unit"; then
    again+=("$unit")
  fi
done <"$point/units"
if [ ${#again[@]} -gt 0 ]; then
  for unit in "${again[@]}"; do
    if systemctl is-failed --quiet "$unit"; then systemctl reset-failed "$unit"; fi
  done
  systemctl restart "${again[@]}"
  printf 'restarted %s\n' "${again[@]}"
fi
rm -f "$point/data.changed" "$point/schemas.changed"
sync -f "$point"
