#!/bin/sh
# Stops the encryption of recordings where site.yml no longer wants it. What is encrypted stays so.
# Prints one line if it was enabled, and nothing otherwise.
set -eu
unit=ucontact-encryption.service
if systemctl --quiet is-enabled $unit 2>/dev/null; then
    systemctl --quiet disable --now $unit
    echo "disabled: $unit"
fi
