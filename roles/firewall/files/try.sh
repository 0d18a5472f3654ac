# Loads the candidate rules, after arming the switch that takes them back. The file that counts at
# the next boot is untouched until confirm.sh. UCONTACT_ROLLBACK: seconds until they are taken back.
set -eu
run=/run/ucontact-firewall
none='add table inet ucontact; delete table inet ucontact'

# A former try that nobody confirmed: its rules are not worth coming back to.
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
