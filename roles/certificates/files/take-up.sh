# Makes each running service load the certificates in place, without interrupting calls or sessions.
# Prints one line per service that did, nothing for those that had before. Continues after a service
# that can't, and fails at the end; the next run tries all of them again.
set -u
cd "$CERTIFICATES" || exit
now=$(find . -type f ! -name .taken-up | LC_ALL=C sort | xargs sha256sum)
[ "$now" != "$(cat .taken-up 2>/dev/null)" ] || exit 0
failed=0

active() { systemctl is-active --quiet "$1.service"; }

if active nginx; then
  if nginx -t -q && systemctl reload nginx.service; then
    echo "nginx reloaded"
  else
    failed=1
  fi
fi

# Print the certificate that a port of this machine serves; nothing if it serves none.
served() {
  timeout 10 openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null |
    openssl x509 -outform pem 2>/dev/null || :
}

if active asterisk; then
  if asterisk -rx 'module reload http' >/dev/null &&
    asterisk -rx 'module reload res_pjsip.so' >/dev/null; then
    echo "Asterisk reloaded http and res_pjsip"
  else
    failed=1
  fi
  sleep 1
  sip=$(served "$SIP_TLS_PORT")
  if [ -n "$sip" ] && [ "$sip" != "$(openssl x509 -in portal.pem -outform pem)" ]; then
    # Asterisk 22 reloads it if the transport allows reloads; 16 reads it only at start. This
    # restart waits for a moment without calls, and rejects none until then.
    asterisk -rx 'core restart when convenient' >/dev/null || failed=1
    echo "Asterisk will serve it for SIP TLS as soon as no call is up"
  fi
fi

if active coturn; then
  if systemctl kill --kill-who=main -s USR2 coturn.service; then
    echo "coturn told to read its certificate again"
  else
    failed=1
  fi
fi

if active mysql; then
  if said=$(mysql --batch -e 'ALTER INSTANCE RELOAD TLS' 2>&1); then
    echo "MySQL reloaded TLS"
  elif echo "$said" | grep -q 'ERROR 1064'; then
    # 5.7 does not have the statement, and loads a new certificate only at start.
    if systemctl restart mysql.service; then echo "MySQL restarted"; else failed=1; fi
  else
    echo "$said" >&2
    failed=1
  fi
fi

[ "$failed" = 0 ] || exit 1
umask 077
echo "$now" >.taken-up.new && mv -f .taken-up.new .taken-up
