#!/bin/sh
# initialise.sh CONFIG FOLDER: make an empty database whose root enters by the socket alone, from its
# first moment. A database that is there already is only marked as such.
set -eu
config=$1
folder=$2
mark=$folder/.ucontact-initialised
working=$folder/.ucontact-initialising

if [ -e "$folder/mysql" ] && [ ! -e "$working" ]; then
    touch "$mark"
    exit 0
fi
if [ -e "$working" ]; then
    # A run was interrupted here; the server has never been started on what it left.
    find "$folder" -mindepth 1 ! -path "$working" -delete
fi
touch "$working"
sql=$(mktemp)
trap 'rm -f "$sql"' EXIT
# While it initialises, the server has no plugins for ALTER USER to know.
echo "UPDATE mysql.user SET plugin = 'auth_socket', authentication_string = '' WHERE user = 'root';" \
    >"$sql"
chmod 0644 "$sql"
mysqld --defaults-file="$config" --initialize-insecure --init-file="$sql"
touch "$mark"
rm "$working"
