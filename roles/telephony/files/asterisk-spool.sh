#!/bin/sh
# Gives Asterisk back what it can't use of its spool, as after somebody's `chown -R` or a restored
# backup (R05, R25). Prints how many entries were changed, and nothing where none was.
set -eu
cd /  # find has to come back to a folder that asterisk may enter
spool=/var/spool/asterisk

# -execdir, -h and one link only: whoever may write into the tree can't have us give away a file
# that lies elsewhere.
owners=$(find $spool -ignore_readdir_race ! -user asterisk \( -type d -o -type f -links 1 \) \
    -printf . -execdir chown -h asterisk:asterisk '{}' +)

# As Asterisk's account, which has no right to change anything else. A folder is opened before find
# looks into it.
modes=$(runuser -u asterisk -- find $spool -ignore_readdir_race -user asterisk \
    \( -type d ! -perm -u=rwx -o -type f ! -perm -u=rw \) -printf . -exec chmod u+rwX '{}' \;)

count=$((${#owners} + ${#modes}))
[ $count -eq 0 ] || echo "given back to asterisk: $count"
