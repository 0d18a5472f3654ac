#!/bin/sh
# Telephony cards (R13), by DAHDI.
#   dahdi-lines.sh check FILE    whether a system.conf can be parsed
#   dahdi-lines.sh start         load the cards' kernel modules, wait for their channels, and
#                                configure them by /etc/dahdi/system.conf
set -eu
conf=/etc/dahdi/system.conf
modules=/etc/dahdi/modules
seconds=40

if [ "$1" = check ]; then
    # dahdi_cfg parses nothing while the kernel has no DAHDI: then the start reports what is wrong.
    [ -e /dev/dahdi/ctl ] || exit 0
    exec /usr/sbin/dahdi_cfg -t -c "$2"
fi

# A release of DAHDI lacks some of a maker's drivers; what is missing in the end is no channel.
grep -v '^#' $modules | while read -r module; do
    modprobe --quiet "$module" || echo "the kernel has no module $module"
done
if [ ! -e /dev/dahdi/ctl ]; then
    echo "kernel $(uname -r) has no DAHDI: see 'dkms status'" >&2
    exit 1
fi

# A driver that leaves the numbers of spans to others gets them in the order of its cards, unless
# assigned-spans.conf has an order: udev's rules then assign them.
assign() {
    if [ "$(cat /sys/module/dahdi/parameters/auto_assign_spans)" = 0 ] \
        && [ ! -e /etc/dahdi/assigned-spans.conf ]; then dahdi_span_assignments auto; fi
}

# A lost card must not take the others along, nor keep Asterisk from its start for long.
# A card's channels come a while after its module, those of an Astribank after its firmware.
last=$(sed -n 's/^\(bchan\|dchan\|cas\|fxs..\|fxo..\)=\([0-9,-]*\).*/\2/p' $conf \
    | tr ',-' '\n\n' | sort -n | tail -n 1)
until [ "$(cat /proc/dahdi/* 2>/dev/null | grep -cE '^[[:space:]]+[0-9]+ ')" -ge "${last:-0}" ]; do
    if [ "$seconds" -le 0 ]; then
        echo "not all channels up to $last are there; DAHDI has found:" >&2
        grep -h '^Span' /proc/dahdi/* >&2 || echo "no card" >&2
        dahdi_cfg >&2 || echo "dahdi_cfg did not get to the end" >&2
        exit 1
    fi
    assign >&2 || echo "dahdi_span_assignments failed" >&2
    seconds=$((seconds - 1))
    sleep 1
done
exec dahdi_cfg
