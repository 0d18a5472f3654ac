# Makes each service that is at work serve the new files, with no call or session cut. A line for
# each one that did; ends with an error when one of them can't.
set -eu

active() { systemctl is-active --quiet "$1.service"; }

if active nginx; then
  nginx -t -q
  systemctl reload nginx.service
  echo "nginx reloaded"
fi

# The certificate that a port of this machine serves; nothing when it serves none.
served() {
  timeout 10 openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null |
    openssl x509 -outform pem 2>/dev/null || :
}

if active asterisk; then
  asterisk -rx 'module reload http' >/dev/null
  asterisk -rx 'module reload res_pjsip.so' >/dev/null
  echo "Asterisk reloaded http and res_pjsip"
  sleep 1
  now=$(served "$SIP_TLS_PORT")
  if [ -n "$now" ] && [ "$now" != "$(openssl x509 -in "$CERTIFICATES/portal.pem" -outform pem)" ]; then
    # Asterisk 22 takes it by the reload when the transport allows reloads; 16 reads it at its start
    # only. This
    # waits for a moment without calls, and refuses none until then.
    asterisk -rx 'core restart when convenient' >/dev/null
    echo "Asterisk will serve it for SIP TLS as soon as no call is up"
  fi
fi

if active coturn; then
  systemctl kill --kill-who=main -s USR2 coturn.service
  echo "coturn told to read its certificate again"
fi

if active mysql; then
  if said=$(mysql --batch -e 'ALTER INSTANCE RELOAD TLS' 2>&1); then
    echo "MySQL reloaded TLS"
  elif echo "$said" | grep -q 'ERROR 1064'; then
    # 5.7 does not know the statement, and takes a new certificate only by a restart.
    systemctl restart mysql.service
    echo "MySQL restarted"
  else
    echo "$said" >&2
    exit 1
  fi
fi
