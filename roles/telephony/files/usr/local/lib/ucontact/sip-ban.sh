#!/bin/sh
# Adds to the limits in front of SIP, or deletes from them, an address or a connection.
#   sip-ban.sh add|delete ADDRESS
#   sip-ban.sh add|delete PROTOCOL/ADDRESS/PORT
# A connection that is refused is also ended at this side, where the kernel can: Asterisk would keep
# it until it next sends something.
set -eu
case $2 in *:*) family=ip6 ;; *) family=ip ;; esac
port=''
case $2 in
    */*/*)
        address=${2#*/} port=${2##*/} address=${address%/*}
        element="refused-$family { $address . $port }"
        ;;
    *) element="banned-$family { $2 }" ;;
esac
element="element inet ucontact_sip $element"
case $1 in
    add) nft "add $element" ;;
    # Added before, so that one that went with its table is no error.
    delete) nft "add $element; delete $element" ;;
esac
if [ "$1" = add ] && [ -n "$port" ]; then
    ss --kill --tcp dst "$address" dport = ":$port" > /dev/null
fi
