#!/bin/sh
# initialise.sh CONFIG FOLDER: create an empty database in which root can log in only on the socket,
# from its first moment. An existing database is only marked as such.
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
    # Left by an interrupted run; the server was never started on it.
    find "$folder" -mindepth 1 ! -path "$working" -delete
fi
touch "$working"
sql=$(mktemp)
trap 'rm -f "$sql"' EXIT
# During initialisation the server has no plugins, so ALTER USER can't be used.
echo "UPDATE mysql.user SET plugin = 'auth_socket', authentication_string = '' WHERE user = 'root';" \
    >"$sql"
chmod 0644 "$sql"
mysqld --defaults-file="$config" --initialize-insecure --init-file="$sql"
touch "$mark"
rm "$working"
