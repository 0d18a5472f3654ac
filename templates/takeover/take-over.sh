set -euo pipefail
umask 077
folder={{ folder | quoted }}
parent=$folder
until [ -d "$parent" ]; do parent=$(dirname "$parent"); done
here=()
for path in {{ paths | quoted }}; do
  if [ -e "$path" ]; then here+=("${path#/}"); fi
done
if [ ${#here[@]} -gt 0 ]; then
  needed=$(cd / && du -skc -- "${here[@]}" | tail -n 1 | cut -f 1)
else
  needed=0
fi
free=$(df -Pk "$parent" | awk 'NR == 2 {print $4}')
if [ "$free" -lt $((needed + needed / 10 + 10240)) ]; then
  echo "the copy may need $((needed / 1024)) MB, and $parent has $((free / 1024)) MB free" >&2
  exit 1
fi
mkdir -p {{ kept | quoted }}
chmod 0700 {{ kept | quoted }}
mkdir "$folder"
cd "$folder"
dpkg-query -W -f '${db:Status-Abbrev}\t${Package}\t${Version}\n' |
  sed -n 's/^ii *\t//p' >packages.txt
: >active
: >enabled
for name in {{ units | quoted }}; do
  # mysql.service may be another name of mariadb.service.
  unit=$(systemctl show -p Id --value "$name")
  if [ "$(systemctl is-enabled "$unit" 2>/dev/null)" = enabled ]; then echo "$unit" >>enabled; fi
  if systemctl is-active --quiet "$unit"; then echo "$unit" >>active; fi
done
sort -u -o enabled enabled
sort -u -o active active
# A failure before the copy is verified restores the previous state.
back() {
  while read -r unit; do systemctl start "$unit"; done <"$folder/active"
  rm -r "$folder"
}
trap back EXIT
while read -r unit; do systemctl stop "$unit"; done <active
if [ ${#here[@]} -gt 0 ]; then
  tar --numeric-owner --acls --xattrs -C / -czf files.tar.gz -- "${here[@]}"
  tar --numeric-owner --acls --xattrs -C / -dzf files.tar.gz
else
  tar -czf files.tar.gz -T /dev/null
fi
cat >restore.sh <<'END_OF_RESTORE'
{{ restore }}
END_OF_RESTORE
cat >README <<'END_OF_README'
{{ readme }}
END_OF_README
sync -f files.tar.gz
trap - EXIT
{% if added %}
rm -f -- {{ added | quoted }}
{% endif %}
{% for data in emptied %}
if [ -d {{ data | quoted }} ]; then find {{ data | quoted }} -mindepth 1 -delete; fi
{% endfor %}
{% if files %}
# Renamed, so that the retention of our own recordings does not delete them.
if [ -d {{ files | quoted }} ]; then mv {{ files | quoted }} {{ files | quoted }}."${folder##*-}"; fi
{% endif %}
mkdir -p {{ kept | quoted }}/taken-over
echo "$folder" >{{ kept | quoted }}/taken-over/{{ id }}
