# find_updates.sh REFRESH, for bash: what apt would replace, by phase; installs nothing.
#
# Standard input: lines "PHASE PACKAGE...". Standard output: a line "---- PHASE" each, then apt's own
# lines of what it would install or remove. With REFRESH "yes" the package lists are fetched first.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
if [ "$1" = yes ]; then
  apt-get update -qq -o DPkg::Lock::Timeout=60 >&2
fi
while read -r phase wanted; do
  packages=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
    awk -v wanted=" $wanted " '$1 == "installed" && index(wanted, " " $2 " ") {print $2}')
  [ -n "$packages" ] || continue
  echo "---- $phase"
  # $packages are names.
  # shellcheck disable=SC2086
  apt-get --simulate --quiet --no-install-recommends --allow-change-held-packages \
    --only-upgrade install $packages </dev/null | sed -n '/^\(Inst\|Remv\) /p'
done
