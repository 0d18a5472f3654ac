# migrate.sh recorded|rehearse|apply DATABASE..., for bash: changes of schemas by a release.
#
# "recorded" prints "DATABASE VERSION SHA256" for each migration that was applied. The others read lines
# "DATABASE VERSION SHA256 SQL" on standard input, the SQL in base64: "rehearse" applies them to copies
# of the databases, which it removes again, "apply" to the databases, and records each. The SQL runs by
# an account that can reach nothing but its one database.
set -euo pipefail
umask 077
mode=$1
shift
socket=/run/mysqld/mysqld.sock
account=ucontact_migrate
table=ucontact_migrations

root() { mysql --no-defaults --socket=$socket --user=root --batch --skip-column-names "$@"; }

if [ "$mode" = recorded ]; then
  for database in "$@"; do
    if [ -n "$(root -e "show tables from \`$database\` like '$table'")" ]; then
      root -e "select '$database', version, sha256 from \`$database\`.$table"
    fi
  done
  exit 0
fi

work=$(mktemp -d /run/ucontact-migrate-XXXXXX)
targets=()
clean() {
  rm -rf "$work"
  root -e "drop user if exists '$account'@'localhost'"
  if [ "$mode" = rehearse ]; then
    for target in "${targets[@]}"; do root -e "drop database if exists \`$target\`"; done
  fi
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
cat >"$work/lines"

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '[client]\nuser=%s\npassword=%s\nsocket=%s\n' "$account" "$password" "$socket" >"$work/login"
root <<END
drop user if exists '$account'@'localhost';
create user '$account'@'localhost' identified by '$password';
END

for database in $(cut -d ' ' -f 1 "$work/lines" | sort -u); do
  target=$database
  if [ "$mode" = rehearse ]; then
    target=ucontact_rehearsal_$database
    targets+=("$target")
    needed=$(du -sk "/var/lib/mysql/$database" | cut -f 1)
    free=$(df -Pk /var/lib/mysql | awk 'NR == 2 {print $4}')
    if [ "$free" -lt $((needed * 2)) ]; then
      echo "a copy of $database needs $((needed / 512)) MB, and $((free / 1024)) MB are free" >&2
      exit 1
    fi
    root -e "drop database if exists \`$target\`; create database \`$target\`"
    mysqldump --no-defaults --socket=$socket --user=root --single-transaction --quick \
      --no-tablespaces --set-gtid-purged=OFF --triggers "$database" | root "$target"
  fi
  # An underscore is a wildcard in a grant.
  root -e "grant all on \`${target//_/\\_}\`.* to '$account'@'localhost'"
done

while read -r database version sha256 sql; do
  target=$database
  [ "$mode" = apply ] || target=ucontact_rehearsal_$database
  if ! printf '%s' "$sql" | base64 -d |
    mysql --defaults-file="$work/login" --database="$target" >"$work/said" 2>&1; then
    echo "$database $version: $(tail -c 2000 "$work/said")" >&2
    exit 1
  fi
  if [ "$mode" = apply ]; then
    root "$database" <<END
create table if not exists $table (version varchar(64) not null primary key,
  sha256 char(64) not null, applied timestamp not null default current_timestamp);
insert into $table (version, sha256) values ('$version', '$sha256');
END
    echo "applied $database $version"
  fi
done <"$work/lines"
