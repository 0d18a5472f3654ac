# Prints the facts that the role needs, one KEY=VALUE per line. Reads only.
. /etc/os-release
echo "id=$ID"
# Debian's unstable has no VERSION_ID.
echo "version=${VERSION_ID:-sid}"
echo "name=${PRETTY_NAME:-$ID}"
echo "container=$(systemd-detect-virt --container 2>/dev/null)"
daemon=
for unit in ntp ntpsec ntpd openntpd; do
  if systemctl is-active --quiet "$unit.service"; then daemon=$unit; fi
done
echo "ntp=$daemon"
