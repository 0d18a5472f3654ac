#!/bin/sh
# Restores {{ title }} to its state before the uContact appliance took it over. Existing files are
# renamed, not deleted. Run as root: sh {{ folder }}/restore.sh
set -eu
cd {{ folder | quoted }}
stamp=$(date -u +%Y%m%dT%H%M%SZ)
for unit in {{ units | quoted }}; do
  if systemctl cat "$unit" >/dev/null 2>&1; then systemctl stop "$unit"; fi
done
for path in {{ (paths + our_units) | quoted }}; do
  if [ -e "$path" ]; then mv "$path" "$path.before-restore-$stamp"; fi
done
tar --numeric-owner --acls --xattrs -C / -xpzf files.tar.gz
{% if files %}
if [ -d {{ files | quoted }}.{{ folder.rpartition("-")[2] }} ]; then
  if [ -e {{ files | quoted }} ]; then mv {{ files | quoted }} {{ files | quoted }}."before-restore-$stamp"; fi
  mv {{ files | quoted }}.{{ folder.rpartition("-")[2] }} {{ files | quoted }}
fi
{% endif %}
systemctl daemon-reload
missing=$(while IFS="$(printf '\t')" read -r name version; do
  case $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) in
    *' installed') ;;
    *) echo "$name" ;;
  esac
done <packages.txt)
if [ -n "$missing" ]; then
  # shellcheck disable=SC2086  # a list of names
  DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Options::=--force-confold install $missing
fi
while read -r unit; do systemctl enable "$unit"; done <enabled
while read -r unit; do systemctl restart "$unit"; done <active
rm -f {{ kept | quoted }}/taken-over/{{ id }}
echo {{ ("%s is as it was" % title) | quoted }}
