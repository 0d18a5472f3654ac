# What the role must know of a server, one KEY=VALUE a line; $PACKAGES are those it must have.
# Reads only.
. /etc/os-release
echo "id=$ID"
# Debian's unstable has no VERSION_ID.
echo "version=${VERSION_ID:-sid}"
echo "name=${PRETTY_NAME:-$ID}"
echo "hostname=$(cat /proc/sys/kernel/hostname)"
echo "container=$(systemd-detect-virt --container 2>/dev/null)"
daemon=
for unit in ntp ntpsec ntpd openntpd; do
  if systemctl is-active --quiet "$unit.service"; then daemon=$unit; fi
done
echo "ntp=$daemon"
# Package lists are fetched when they will be needed, and only then: a closed site's mirror is gone
# after the installation.
lists=current
for package in $PACKAGES; do
  case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *' installed') ;;
    *) lists=wanted ;;
  esac
done
[ -f /etc/sysctl.d/60-ucontact.conf ] || lists=wanted
ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || lists=wanted
echo "lists=$lists"
