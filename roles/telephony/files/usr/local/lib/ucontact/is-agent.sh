#!/bin/sh
# Exits 0 if agents are registered from address $1. For fail2ban, which does not ban such an
# address: a whole office may be behind it.
case $1 in *:*) family=ip6 ;; *) family=ip ;; esac
if nft get element inet ucontact_sip "agents-$family" "{ $1 }" > /dev/null 2>&1; then exit 0; fi
# The address of the same client behind the portal's proxy.
[ "$family" = ip ] \
    && nft get element inet ucontact_sip agents-ip "{ 127.${1#*.} }" > /dev/null 2>&1
