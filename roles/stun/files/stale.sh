#!/bin/sh
# stale.sh UNIT FILE...: print the files that were written after the unit's process started, so
# that an install finds the restarts that an interrupted one left undone.
set -eu
unit=$1
shift
began=$(systemctl show -p ExecMainStartTimestamp "$unit" | cut -d= -f2-)
[ -n "$began" ] || exit 0
# systemd reports whole seconds: files written within the first one count as loaded.
begun=$(($(date -d "$began" +%s) + 1))
for file in "$@"; do
    if [ -e "$file" ] && [ "$(stat -L -c %Y "$file")" -ge "$begun" ]; then
        echo "$file"
    fi
done
