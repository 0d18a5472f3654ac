#!/bin/sh
# Prints the facts that the role needs: the version that Asterisk ($1) reports, a line "limits" if the
# kernel can limit connections and bytes per source, and the kernel's release. Reads only.
"$1" -V || exit
if unshare --net nft 'table inet t { set s { type ipv4_addr . inet_service; size 9; flags dynamic,timeout; timeout 1m; }
  chain c { update @s { ip saddr . tcp sport limit rate over 8 kbytes/second burst 32 kbytes } drop; ct count over 1 drop; }; }' 2> /dev/null
then echo limits; fi
echo "kernel $(uname -r)"
