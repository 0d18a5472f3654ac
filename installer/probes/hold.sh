# Holds this server's installation lock while its standard input is open; run by bash as root.
#
#   bash -c SCRIPT hold WHO LEASE HOW TEMPORARY
#
# WHO is base64 of the holder's JSON, LEASE the seconds without input after which the lock is
# released. HOW is `local` on the installing machine itself, `first` over ssh, `again` if the same
# run lost its connection. TEMPORARY is Ansible's own folder in the login user's home. Prints one
# line each: `busy WHO`, `waiting PID NAME`, `stuck PID NAME`, or `held RECORD`. Then it reads
# lines: `keep`; `write BASE64`, which it answers with `written` or `failed`; and `end`.
who=$1 lease=$2 how=$3 temporary=$4
record=/var/lib/ucontact/installation.json
lock=/run/ucontact-installation.lock
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

exec 9>>"$lock" || exit 1
# A killed installer's own lock is released as soon as its connection ends.
if ! flock -w 5 9; then
  echo "busy $(head -c 4096 "$lock.holder" 2>/dev/null | base64 -w0)"
  exit 0
fi

# The connection of this session: sudo hides it, so look for it in the parent processes.
connection=
pid=$$
while [ "${pid:-0}" -gt 1 ] && [ -z "$connection" ]; do
  connection=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
  pid=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$pid/status" 2>/dev/null)
done

# What a killed installer had started here keeps running: sshd does not end it. Its processes are
# identified by the connection that they were started over.
left_running() {
  sed 's/^/SSH_CONNECTION=/' "$lock.connections" 2>/dev/null |
    grep -lzxF -f - /proc/[0-9]*/environ 2>/dev/null | head -n 1 | tr -cd '0-9'
}
if [ "$how" = first ] && [ -s "$lock.connections" ]; then
  second=0
  while pid=$(left_running); [ -n "$pid" ]; do
    name=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | tr -c '[:print:]' ' ' | head -c 120)
    [ $second -lt 300 ] || { echo "stuck $pid $name"; exit 0; }
    echo "waiting $pid $name"
    sleep 1
    second=$((second + 1))
  done
fi
printf %s "$who" | base64 -d >"$lock.holder"
case $how in
  local) rm -f "$lock.connections" ;;
  first) echo "$connection" >"$lock.connections" ;;
  again) echo "$connection" >>"$lock.connections" ;;
esac
# Nobody else uses it while the lock is held: its content was left by a killed run, perhaps secrets.
[ "$how" = again ] || rm -rf -- "$temporary"/ansible-tmp-*

if [ -e "$record" ] || [ -L "$record" ]; then
  echo "held $(head -c 1048577 "$record" | base64 -w0)"
else
  echo "held -"
fi

write() {
  mkdir -p /var/lib/ucontact &&
    printf %s "$1" | base64 -d >"$record.new" && sync "$record.new" &&
    mv -fT "$record.new" "$record" && sync /var/lib/ucontact
}
while IFS= read -r -t "$lease" line; do
  case $line in
    "write "*) if said=$(write "${line#write }" 2>&1); then echo written
               else rm -f "$record.new"; echo "failed $(echo "$said" | tail -n 1)"; fi ;;
    end) rm -f "$lock.connections" "$lock.holder"; exit 0 ;;
  esac
done
