# Loads the candidate rules, after starting the timer that rolls them back. The file that is loaded
# at boot is unchanged until confirm.sh. UCONTACT_ROLLBACK: seconds until the rollback.
set -eu
run=/run/ucontact-firewall
none='add table inet ucontact; delete table inet ucontact'

# An earlier try that was not confirmed: do not roll back to its rules.
if systemctl is-active --quiet ucontact-firewall-rollback.timer; then
  systemctl stop ucontact-firewall-rollback.timer
  sh "$run/rollback.sh"
fi
{
  echo 'add table inet ucontact'
  echo 'delete table inet ucontact'
  nft list table inet ucontact 2>/dev/null || :
} >"$run/previous.nft"
cat >"$run/rollback.sh" <<END
# Made by the firewall role: takes back rules that no new connection has proved.
nft -f $run/previous.nft || nft '$none'
logger -t ucontact-firewall 'new rules were taken back: no new connection proved them' || :
END
systemctl reset-failed ucontact-firewall-rollback.service 2>/dev/null || :
systemd-run --quiet --unit=ucontact-firewall-rollback --on-active="$UCONTACT_ROLLBACK" \
  --timer-property=AccuracySec=1s /bin/sh "$run/rollback.sh"
nft -f "$run/candidate.nft"
