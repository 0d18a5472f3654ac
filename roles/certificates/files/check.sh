# Validates the staged files before they replace any: $STAGED is the folder, $FQDN the portal's
# name, $PORTAL whether the portal's pair is among them. Prints errors and exits 1.
set -u
cd "$STAGED" || exit 1
wrong=0

complain() {
  echo "$1" >&2
  wrong=1
}

# pair CERTIFICATE KEY ROOTS NAME
pair() {
  in_certificate=$(openssl x509 -in "$1" -noout -pubkey 2>&1)
  in_key=$(openssl pkey -in "$2" -pubout 2>/dev/null </dev/null)
  if [ -z "$in_key" ]; then
    complain "$2: no unencrypted private key"
  elif [ "$in_certificate" != "$in_key" ]; then
    complain "$1: its key is not $2"
  fi
  # Accept other trust anchors than self-signed roots: a customer's may be an intermediate.
  if ! said=$(openssl verify -partial_chain -purpose sslserver -verify_hostname "$4" \
    -CAfile "$3" -untrusted "$1" "$1" 2>&1); then
    complain "$1: $(echo "$said" | tr '\n' ' ') (this server's clock says $(date -u '+%F %H:%M') UTC)"
  fi
}

pair internal.pem private/internal.key ca.pem "$FQDN"
[ "$PORTAL" = true ] && pair portal.pem private/portal.key portal-ca.pem "$FQDN"
# Do not leave unused keys behind.
[ "$wrong" = 0 ] || rm -r "$STAGED"
exit "$wrong"
