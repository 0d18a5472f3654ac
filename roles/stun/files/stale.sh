#!/bin/sh
# stale.sh UNIT FILE...: print the files that were written after the unit's process started. An
# install that is interrupted between writing a file and restarting the service is continued by this.
set -eu
unit=$1
shift
began=$(systemctl show -p ExecMainStartTimestamp "$unit" | cut -d= -f2-)
[ -n "$began" ] || exit 0
# systemd tells whole seconds: what was written within the first one was read.
begun=$(($(date -d "$began" +%s) + 1))
for file in "$@"; do
    if [ -e "$file" ] && [ "$(stat -L -c %Y "$file")" -ge "$begun" ]; then
        echo "$file"
    fi
done
