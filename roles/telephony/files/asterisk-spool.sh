#!/bin/sh
# Restores Asterisk's access to its spool, as after somebody's `chown -R` or a restored backup
# (R05, R25). Prints how many entries were changed, and nothing if none was.
set -eu
cd /  # find has to come back to a folder that asterisk may enter
spool=/var/spool/asterisk

# -execdir, -h and one link only: users who may write into the tree must not be able to make this
# change the owner of files elsewhere.
owners=$(find $spool -ignore_readdir_race ! -user asterisk \( -type d -o -type f -links 1 \) \
    -printf . -execdir chown -h asterisk:asterisk '{}' +)

# As Asterisk's account, which can't change anything else. A folder's mode is set before find
# descends into it.
modes=$(runuser -u asterisk -- find $spool -ignore_readdir_race -user asterisk \
    \( -type d ! -perm -u=rwx -o -type f ! -perm -u=rw \) -printf . -exec chmod u+rwX '{}' \;)

count=$((${#owners} + ${#modes}))
[ $count -eq 0 ] || echo "given back to asterisk: $count"
