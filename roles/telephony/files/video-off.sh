#!/bin/sh
# Stops the recording of video where site.yml no longer wants it. What was captured already stays, and
# is made a .webm when it is wanted again. Prints one line per unit, and nothing if none was enabled.
set -eu
for unit in ucontact-video-capture.service ucontact-video.service; do
    if systemctl --quiet is-enabled $unit 2>/dev/null; then
        systemctl --quiet disable --now $unit
        echo "disabled: $unit"
    fi
done
