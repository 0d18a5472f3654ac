# keep_packages.sh POINT [database], for bash: keep the packages that an upgrade will replace.
#
# Standard input: lines "PACKAGE VERSION". Each one's .deb is taken from apt's cache, from the vendor's
# packages, from the archive, or made anew by dpkg-repack. Standard output: a line for each package
# that can't be had. With "database" there has to be room for a copy of MySQL's data.
set -euo pipefail
umask 022 # apt's own account reads the packages
point=/var/lib/ucontact-restore-points/$1
kept=$point/packages.new
rm -rf "$point/debs"
mkdir -m 0755 "$point/debs"
: >"$kept"

had() {
  local name=${1%%:*} version=${2//:/%3a} file
  for file in "/var/cache/apt/archives/${name}_${version}_"*.deb; do
    if [ -f "$file" ]; then cp "$file" "$point/debs/" && return; fi
  done
  for file in /var/lib/ucontact-asterisk/packages/*.deb; do
    if [ -f "$file" ] && [ "$(dpkg-deb -W "$file")" = "$(printf '%s\t%s' "$name" "$2")" ]; then
      cp "$file" "$point/debs/" && return
    fi
  done
  cd "$point/debs"
  if apt-get download -qq -o APT::Sandbox::User=root "$1=$2" >/dev/null 2>&1; then return; fi
  if command -v dpkg-repack >/dev/null && dpkg-repack "$1" >/dev/null 2>&1; then return; fi
  return 1
}

while read -r name version; do
  if had "$name" "$version" </dev/null; then
    echo "$name $version" >>"$kept"
  else
    echo "$name $version"
  fi
done

if [ "${2:-}" = database ]; then
  needed=$(du -sk /var/lib/mysql | cut -f 1)
  free=$(df -Pk "$point" | awk 'NR == 2 {print $4}')
  if [ "$free" -lt $((needed + needed / 10)) ]; then
    echo "a copy of the database needs $((needed / 1024)) MB, and $((free / 1024)) MB are free" >&2
    exit 1
  fi
fi
apt-mark showhold >"$point/held"
sync -f "$point"
mv -T "$kept" "$point/packages"
sync -f "$point"
