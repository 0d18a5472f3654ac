#!/bin/sh
# Checks whether the running Asterisk has loaded its configuration.
#   asterisk-verify.sh "TRANSPORT ..." "ENDPOINT ..." WSS-PORT
# Exits 1 with what is missing, and with Asterisk's own messages about it.
transports=$1 endpoints=$2 wss_port=$3
missing=""
ask() { asterisk -rx "$1" 2>&1; }

attempts=0
until ask "core show uptime" | grep -q "System uptime"; do
    attempts=$((attempts + 1))
    if [ "$attempts" -ge 20 ]; then
        echo "Asterisk does not answer: $(ask 'core show uptime')"
        systemctl --no-pager --full status asterisk.service | tail -n 12
        exit 1
    fi
    sleep 0.5
done

loaded=$(ask "pjsip show transports")
for name in $transports; do
    printf '%s\n' "$loaded" | grep -q "^Transport: *$name " || missing="$missing transport $name,"
done
loaded=$(ask "pjsip show endpoints")
for name in $endpoints; do
    escaped=$(printf '%s' "$name" | sed 's/[.]/\\./g')
    printf '%s\n' "$loaded" | grep -Eq "^ *Endpoint: *$escaped[ /]" || missing="$missing endpoint $name,"
done
ask "http show status" | grep -q "HTTPS Server Enabled.*:$wss_port" \
    || missing="$missing HTTPS on port $wss_port,"
ask "dialplan show *43@internal" | grep -q "Echo()" || missing="$missing echo test *43,"

# Qualify the provider now, not within the next minute.
for name in $endpoints; do
    case $name in trunk-*) ask "pjsip qualify $name" > /dev/null ;; esac
done

[ -z "$missing" ] && exit 0
echo "Asterisk did not load:${missing%,}. Its own words:"
grep -E "ERROR|WARNING" /var/log/asterisk/messages.log | tail -n 15
exit 1
