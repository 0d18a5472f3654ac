# keep_schemas.sh POINT DATABASE..., for bash: dump databases into the restore point.
#
# Whoever writes to them was stopped before: the dump has everything.
set -euo pipefail
umask 077
point=/var/lib/ucontact-restore-points/$1
shift
mysqldump --no-defaults --socket=/run/mysqld/mysqld.sock --user=root --single-transaction --quick \
  --hex-blob --no-tablespaces --set-gtid-purged=OFF --routines --triggers --events \
  --add-drop-database --databases "$@" | gzip -1 >"$point/schemas.partial"
sync -f "$point"
printf '%s\n' "$@" >"$point/databases"
mv -T "$point/schemas.partial" "$point/schemas.sql.gz"
touch "$point/schemas.changed"
sync -f "$point"
