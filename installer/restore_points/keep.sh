# keep.sh POINT ROOT, for bash: keep what an upgrade may change on this server.
#
# Standard input: lines "path FILE [UNIT...]", the units that read the file, and "unit UNIT". ROOT is
# the folder of the release, empty on a server without one. A point without the file `complete` is
# none. Nothing outside the point's folder is changed.
set -euo pipefail
umask 077
points=/var/lib/ucontact-restore-points
point=$points/$1
root=$2

mkdir -p "$points"
chmod 0700 "$points"
rm -rf "$point"
mkdir "$point"
cat >"$point/items"

# Sizes in kB.
needed=$(while read -r kind path _; do
  if [ "$kind" = path ] && [ -f "$path" ]; then printf '%s\0' "$path"; fi
done <"$point/items" | xargs -0 -r du -sk | awk '{sum += $1} END {print sum + 1024}')
if [ -n "$root" ]; then
  needed=$((needed + $(du -skL "$root/current" | cut -f 1)))
fi
free=$(df -Pk "$point" | awk 'NR == 2 {print $4}')
if [ "$free" -lt "$needed" ]; then
  rm -rf "$point"
  echo "a restore point needs $((needed / 1024)) MB, and $((free / 1024)) MB are free in $points" >&2
  exit 1
fi

mkdir "$point/files"
while read -r kind name _; do
  case $kind in
    path)
      if [ -f "$name" ] || [ -L "$name" ]; then
        (cd / && cp -a --parents ".$name" "$point/files/")
      fi
      ;;
    unit)
      systemctl show --property Id,LoadState,ActiveState,UnitFileState "$name" |
        awk -F = -v unit="$name" '{value[$1] = $2}
          END {print unit, value["LoadState"], value["ActiveState"], value["UnitFileState"] }' \
          >>"$point/units"
      ;;
  esac
done <"$point/items"

if [ -n "$root" ]; then
  readlink "$root/current" >"$point/release"
  echo "$root" >"$point/root"
  # No hard links: these change the files' ctime, by which an installation sees that they changed.
  cp -a --reflink=auto "$root/$(cat "$point/release")" "$point/tree"
fi
sync -f "$point"
touch "$point/complete"
sync -f "$point"
