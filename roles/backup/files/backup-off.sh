#!/bin/sh
# backup-off.sh TIMER...: stops the timers that site.yml no longer wants on this server. Prints one
# line per timer that was enabled.
set -eu
for unit in "$@"; do
    if systemctl --quiet is-enabled "$unit" 2>/dev/null; then
        systemctl --quiet disable --now "$unit"
        echo "disabled: $unit"
    fi
done
