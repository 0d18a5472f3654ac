# Sets the kernel parameters on stdin (sysctl.d(5)) whose current value differs. Prints one line per
# parameter that was set, and per parameter that can't be set on this machine.
while IFS= read -r line; do
  case $line in \#* | "") continue ;; esac
  key=${line%% = *}
  wanted=${line#* = }
  path=/proc/sys/$(printf %s "$key" | tr . /)
  if [ ! -e "$path" ]; then
    echo "not settable $key: this machine's kernel does not show it"
    continue
  fi
  now=$(tr -s '[:blank:]' ' ' <"$path")
  [ "$now" = "$wanted" ] && continue
  if [ ! -w "$path" ]; then
    echo "not settable $key: read-only here (it is '$now')"
  elif error=$(sysctl -q -w "$key=$wanted" 2>&1); then
    echo "set $key = $wanted (was '$now')"
  else
    echo "not settable $key: $error"
  fi
done
