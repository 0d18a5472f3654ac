#!/bin/sh
# Adds an address or a connection to the bans of the SIP limits, or deletes it from them.
#   sip-ban.sh add|delete ADDRESS
#   sip-ban.sh add|delete PROTOCOL/ADDRESS/PORT
#   sip-ban.sh add|delete UDP/ADDRESS    (datagrams of that address only)
# A banned connection is also closed on this side, if the kernel can: Asterisk would keep it until
# it next sends something.
set -eu
case $2 in *:*) family=ip6 ;; *) family=ip ;; esac
port=''
case $2 in
    */*/*)
        address=${2#*/} port=${2##*/} address=${address%/*}
        element="refused-$family { $address . $port }"
        ;;
    UDP/*) element="datagrams-$family { ${2#UDP/} }" ;;
    *) element="banned-$family { $2 }" ;;
esac
element="element inet ucontact_sip $element"
case $1 in
    add) nft "add $element" ;;
    # Add first, so that deleting an element that is gone is no error.
    delete) nft "add $element; delete $element" ;;
esac
if [ "$1" = add ] && [ -n "$port" ]; then
    ss --kill --tcp dst "$address" dport = ":$port" > /dev/null
fi
