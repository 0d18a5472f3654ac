# Prints the facts that the role needs. Reads only.
# One line per fact: "session ADDRESS PORT", "foreign NAME", "nft VERSION",
# "disk SHA256" of the rules, "drifted" if the kernel's rules differ, "counts" if it can limit
# connections per source.
table=/etc/nftables.d/ucontact.nft

# This connection's ssh sessions: sudo hides SSH_CONNECTION, so read it from the parent processes.
pid=$$
while [ "${pid:-0}" -gt 1 ]; do
  tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null |
    sed -n 's/^SSH_CONNECTION=\([^ ]*\) [^ ]* [^ ]* \(.*\)$/session \1 \2/p'
  pid=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$pid/status" 2>/dev/null)
done | sed 's/^session ::ffff:/session /; s/%[^ ]*//' | sort -u

# Another active firewall would reject what ours accepts.
grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf && echo "foreign ufw"
systemctl is-active --quiet firewalld.service && echo "foreign firewalld"

[ -f "$table" ] && echo "disk $(sha256sum <"$table" | cut -d' ' -f1)"
nft --version | sed -n 's/^nftables v\([0-9.]*\).*/nft \1/p'

# Compare the kernel's rules with the file. The file is loaded in a network namespace of its own,
# so that both are in the kernel's format.
on_disk=$(unshare --net sh -c "nft -f $table && nft list table inet ucontact" 2>/dev/null)
in_kernel=$(nft list table inet ucontact 2>/dev/null)
[ -n "$on_disk" ] && [ "$on_disk" = "$in_kernel" ] || echo drifted

unshare --net nft 'table inet t { set s { type ipv4_addr; size 9; flags dynamic; }
  chain c { add @s { ip saddr ct count over 1 } drop; }; }' 2>/dev/null && echo counts
exit 0
