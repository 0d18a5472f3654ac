#!/bin/sh
# Whether agents are registered from address $1: exit status 0 when they are. For fail2ban, which
# does not ban such an address: a whole office may be behind it.
case $1 in *:*) family=ip6 ;; *) family=ip ;; esac
nft get element inet ucontact_sip "agents-$family" "{ $1 }" > /dev/null 2>&1
