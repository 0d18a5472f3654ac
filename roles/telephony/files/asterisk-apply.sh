#!/bin/sh
# Makes running services load changed files, each in the least disruptive way.
#   asterisk-apply.sh forget                      before files are written
#   asterisk-apply.sh SECONDS-TO-WAIT-FOR-CALLS   afterwards
#   asterisk-apply.sh only NAME...                some of the reloads below, and no restart
# A file records what was loaded last, so that the next run completes one that was interrupted
# between writing a file and loading it. Prints one line per action.
set -eu
patience=$1
shift
only=$*
stamps=/var/lib/ucontact-telephony/applied
conf=/etc/asterisk
pin=/etc/apt/preferences.d/ucontact-asterisk.pref
mkdir -p "${stamps%/*}"
touch "$stamps"

# Lines of telephony cards are configured while Asterisk is stopped.
cards=
dahdi=/etc/systemd/system/ucontact-dahdi.service
if [ -e $dahdi ]; then cards="$dahdi $conf/chan_dahdi.conf /etc/dahdi/modules /etc/dahdi/system.conf"; fi

fingerprint() { cat -- "$@" | sha256sum | cut -d ' ' -f 1; }
# The certificate's fingerprint is in comments: a new one alone requires no restart. The pin has the
# version of the vendor's packages, whose installation restarts nothing.
start_fingerprint() {
    {
        cat $conf/asterisk.conf $conf/modules.conf $conf/openssl.cnf $conf/pjsip.conf \
            /etc/systemd/system/asterisk.service.d/ucontact.conf $cards
        if [ -e "$pin" ]; then cat "$pin"; fi
    } | grep -v '^; Certificate ' | sha256sum | cut -d ' ' -f 1
}
is_new() { ! grep -qx "$1 $2" "$stamps"; }
forget() { sed -i "/^$1 /d" "$stamps"; }
remember() {
    { grep -v "^$1 " "$stamps" || [ $? -eq 1 ]; } > "$stamps.new"
    echo "$1 $2" >> "$stamps.new"
    mv "$stamps.new" "$stamps"
}
ask() {
    answer=$(asterisk -rx "$1" 2>&1) || { echo "asterisk -rx '$1': $answer" >&2; exit 1; }
}

# Print Asterisk's log lines since the mark about files that it rejected: it then keeps the old
# objects, and does not report that to the caller of the reload. Secret values are left out.
log=/var/log/asterisk/messages.log
mark() { stat -c %s $log 2>/dev/null || echo 0; }
refusals() {  # $1: the mark
    sleep 0.5
    tail -c "+$(($1 + 1))" $log \
        | grep -E 'ERROR\[.*(res_sorcery_config|config_options|pbx_config|config)\.c:' \
        | sed -E 's/((password|secret)[a-z_]* *=).*/\1 (hidden)/I' || true
}

# name, what to tell Asterisk (";" between commands), files
reloads() {
    cat <<TABLE
http|module reload http|$conf/http.conf
logger|logger reload|$conf/logger.conf
rtp|module reload res_rtp_asterisk.so|$conf/rtp.conf
udptl|module reload udptl|$conf/udptl.conf
pjsip|module reload res_pjsip.so res_pjsip_authenticator_digest.so res_pjsip_endpoint_identifier_ip.so res_pjsip_outbound_registration.so|$conf/pjsip.conf $conf/pjsip_extensions.conf $conf/pjsip_trunks.conf
dialplan|dialplan reload|$conf/extensions.conf $conf/extensions_incoming.conf $conf/extensions_outgoing.conf $conf/extensions_queues.conf
queues|module reload extconfig;queue reload all|$conf/extconfig.conf $conf/queues.conf
music|moh reload|$conf/musiconhold.conf
features|module reload features|$conf/features.conf
ami|module reload manager|$conf/manager.conf
cdr|module reload res_odbc.so;module reload cdr_odbc.so;module reload cdr|$conf/res_odbc.conf $conf/cdr_odbc.conf $conf/cdr.conf /etc/odbc.ini
cel|module reload cel_custom.so;module reload cel|$conf/cel_custom.conf $conf/cel.conf
TABLE
}

units() {
    cat <<TABLE
ucontact-qos.service|/etc/nftables.d/ucontact-qos.nft /etc/systemd/system/ucontact-qos.service
ucontact-sip.service|/etc/nftables.d/ucontact-sip.nft /etc/systemd/system/ucontact-sip.service
fail2ban.service|/etc/nftables.d/ucontact-sip.nft /etc/fail2ban/action.d/ucontact-sip.conf /etc/fail2ban/filter.d/ucontact-asterisk.conf /etc/fail2ban/filter.d/ucontact-connection.conf /etc/fail2ban/filter.d/ucontact-datagram.conf /etc/fail2ban/jail.d/ucontact.conf
ucontact-agents.timer|/etc/systemd/system/ucontact-agents.service /etc/systemd/system/ucontact-agents.timer
ucontact-music.service|/etc/systemd/system/ucontact-music.service /usr/local/lib/ucontact/music-on-hold.sh
ucontact-channel-events.service|/etc/systemd/system/ucontact-channel-events.service /usr/local/lib/ucontact/channel-events.py /usr/local/lib/ucontact/ucontact_follow.py /usr/local/lib/ucontact/ucontact_odbc.py
ucontact-queue-log.service|/etc/systemd/system/ucontact-queue-log.service /usr/local/lib/ucontact/queue-log.py /usr/local/lib/ucontact/ucontact_follow.py /usr/local/lib/ucontact/ucontact_odbc.py
ucontact-playback.service|/etc/systemd/system/ucontact-playback.service /etc/ucontact-playback.json /usr/local/lib/ucontact/recordings-playback.py /usr/local/lib/ucontact/ucontact_ticket.py /usr/local/lib/ucontact/ucontact_agents.py /usr/local/lib/ucontact/ucontact_pause.py /usr/local/lib/ucontact/ucontact_plain.py /usr/local/lib/ucontact/ucontact_wav.py /usr/local/lib/ucontact/ucontact_recordings.py /usr/local/lib/ucontact/ucontact_odbc.py
ucontact-recordings.service|/etc/systemd/system/ucontact-recordings.service /usr/local/lib/ucontact/recordings-index.py /usr/local/lib/ucontact/ucontact_recordings.py /usr/local/lib/ucontact/ucontact_odbc.py
ucontact-records.service|/etc/systemd/system/ucontact-records.service /usr/local/lib/ucontact/call-records.py /usr/local/lib/ucontact/ucontact_odbc.py
ucontact-sync.service|/etc/systemd/system/ucontact-sync.service
ucontact-retention.timer|/etc/systemd/system/ucontact-retention.service /etc/systemd/system/ucontact-retention.timer
ucontact-watermark.timer|/etc/systemd/system/ucontact-watermark.service /etc/systemd/system/ucontact-watermark.timer
TABLE
    if systemctl --quiet is-enabled ucontact-encryption.service 2>/dev/null; then
        echo 'ucontact-encryption.service|/etc/systemd/system/ucontact-encryption.service /etc/ucontact-recordings/certificate.pem /usr/local/lib/ucontact/recordings-encrypt.py /usr/local/lib/ucontact/ucontact_recordings.py /usr/local/lib/ucontact/ucontact_odbc.py'
    fi
    systemctl --quiet is-enabled ucontact-video.service 2>/dev/null || return 0
    cat <<TABLE
ucontact-video.service|/etc/systemd/system/ucontact-video.service /usr/local/lib/ucontact/video-remux.py /usr/local/lib/ucontact/ucontact_depacketize.py /usr/local/lib/ucontact/ucontact_matroska.py /usr/local/lib/ucontact/ucontact_recordings.py /usr/local/lib/ucontact/ucontact_video.py
ucontact-video-capture.service|/etc/systemd/system/ucontact-video-capture.service /usr/local/lib/ucontact/video-capture.py /usr/local/lib/ucontact/ucontact_video.py
TABLE
}

# A file that somebody else changed may be loaded by now. After it is restored it would count as
# loaded: so remove its record beforehand.
forget_strange() {
    sum=$(start_fingerprint 2>/dev/null)
    if is_new asterisk "$sum"; then forget asterisk; fi
    { reloads | cut -d '|' -f 1,3; units; } | while IFS='|' read -r name files; do
        sum=$(fingerprint $files 2>/dev/null)
        if is_new "$name" "$sum"; then forget "$name"; fi
    done
}

wanted() {  # the rows of reloads, or of those in $only
    reloads | while IFS= read -r row; do
        case " ${only:-${row%%|*}} " in *" ${row%%|*} "*) echo "$row" ;; esac
    done
}

# Reload all changed files, then check once for rejected ones; the next run reloads those again. The
# recorded sum is taken before the reload: a file that is changed meanwhile stays new.
reload_new() {
    start=$(mark)
    told=$(wanted | while IFS='|' read -r name commands files; do
        sum=$(fingerprint $files)
        is_new "$name" "$sum" || continue
        echo "$commands" | tr ';' '\n' | while read -r command; do ask "$command"; done
        echo "$name $sum"
    done)
    [ -n "$told" ] || return 0
    refused=$(refusals "$start")
    if [ -n "$refused" ]; then
        printf 'Asterisk refused what is new (%s) and keeps what it had:\n%s\n' \
            "$(echo "$told" | cut -d ' ' -f 1 | paste -sd ' ')" "$refused" >&2
        exit 1
    fi
    echo "$told" | while read -r name sum; do
        remember "$name" "$sum"
        echo "applied: $name reloaded"
    done
}

calls_end() {
    while [ "$patience" -gt 0 ]; do
        asterisk -rx 'core show channels count' 2>&1 \
            | grep -Eq '^[1-9][0-9]* (of [0-9]+ max )?active call' || return 0
        patience=$((patience - 5))
        sleep 5
    done
}

if [ "$patience" = forget ]; then
    forget_strange
    exit
fi
if [ "$patience" = only ]; then
    reload_new
    exit
fi

sum=$(start_fingerprint)
if is_new asterisk "$sum" || ! systemctl --quiet is-active asterisk.service; then
    calls_end
    systemctl daemon-reload
    systemctl restart asterisk.service
    reloads | while IFS='|' read -r name commands files; do
        remember "$name" "$(fingerprint $files)"
    done
    remember asterisk "$sum"
    echo "applied: asterisk.service restarted"
else
    reload_new
fi

units | while IFS='|' read -r unit files; do
    sum=$(fingerprint $files)
    if is_new "$unit" "$sum" || ! systemctl --quiet is-active "$unit"; then
        systemctl daemon-reload
        systemctl restart "$unit"
        remember "$unit" "$sum"
        echo "applied: $unit restarted"
    fi
done
