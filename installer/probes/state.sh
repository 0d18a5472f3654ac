# Prints the state of what an installation manages on this server. Reads only.
#
# Standard input: lines "KIND NAME". Standard output: lines "KIND NAME<TAB>STATE", none for what
# does not exist. Two equal states mean that nothing changed in between; a state contains no secret.
# What can't be queried has a state that never repeats.
set -u
export LC_ALL=C TZ=UTC
asked=$(cat)

names() { printf '%s\n' "$asked" | sed -n "s|^$1 ||p"; }
lines() {
  while IFS= read -r name; do
    printf '%s\t' "$1 $name"
    state "$1" "$name" </dev/null
  done
}
summed() { if text=$("$@" 2>/dev/null); then echo "$text" | sum; else unknown; fi; }
sum() { sha256sum | cut -c 1-64; }
unknown() { echo "unknown $(cat /proc/sys/kernel/random/uuid)"; }

# The ctime can't be set by a program: it shows every change of content and permissions.
# A folder's own times change with its entries, which others may create.
paths() {
  names path | tr '\n' '\0' | xargs -0 -r stat --printf 'path %n\t%F %a %U:%G %i %s %y %z\n' 2>/dev/null |
    awk -F '\t' '$2 ~ /^directory/ {split($2, part, " "); $2 = part[1] " " part[2] " " part[3]}
      {print $1 "\t" $2}'
}

tree() {
  test -d "$1" || return
  find "$1" -ignore_readdir_race \( -type d -printf '%p %m %u:%g\n' \) -o \
    -printf '%p %y %m %u:%g %i %s %T@ %C@ %l\n' | sort
}

# systemctl prints units in the order of the names; for an alias it prints another Id.
units() {
  wanted=$(names unit | tr '\n' ' ')
  printf '%s' "$wanted" | xargs -r systemctl --no-pager show --property \
    LoadState,UnitFileState,ActiveState,NeedDaemonReload,InvocationID,FragmentPath,DropInPaths -- |
    awk -F '\n' -v RS= -v wanted="$wanted" 'BEGIN {split(wanted, unit, " ")}
      {told = ""; for (n = 1; n <= NF; n++) told = told " " $n
      print "unit " unit[NR] "\t" substr(told, 2)}'
}

packages() {
  names package | tr '\n' '\0' |
    xargs -0 -r dpkg-query -W -f '${Package}\t${Version} ${Status}\n' -- 2>/dev/null |
    awk -F '\t' 'BEGIN {while ((getline line < "/var/lib/apt/extended_states") > 0) {
        if (line ~ /^Package: /) name = substr(line, 10)
        if (line == "Auto-Installed: 1") auto[name] = " auto"}}
      {print "package " $1 "\t" $2 auto[$1]}'
}

# Without counters, and without the elements that the kernel adds and removes itself.
table() {
  nft list table $1 | sed 's/ counter packets [0-9]* bytes [0-9]*/ counter/; s/\t*# count.*//' |
    awk '/elements = \{/ {inside = 1} !inside {print} inside && /\}/ {inside = 0}'
}

kernel() {
  cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/hostname
  sed -n 's/^\([a-z0-9_.]*\) *=.*/\1/p' /etc/sysctl.d/60-ucontact.conf | tr . / |
    while IFS= read -r name; do
      echo "$name $(cat "/proc/sys/$name" 2>/dev/null)"
    done
}

sql() {
  timeout 10 mysql --protocol=socket --socket=/run/mysqld/mysqld.sock --batch --skip-column-names \
    -e "$1"
}

mysql_server() {
  sql "show global variables where variable_name not like 'gtid\_%';
    select * from mysql.user order by user, host;
    select * from mysql.db order by user, host, db;
    select * from mysql.tables_priv order by user, host, db, table_name;
    select * from mysql.columns_priv order by user, host, db, table_name, column_name;
    select * from mysql.procs_priv order by user, host, db, routine_name;
    select schema_name, default_collation_name from information_schema.schemata order by 1;
    select table_schema, table_name, column_name, ordinal_position, column_type, is_nullable,
      column_key, extra from information_schema.columns where table_schema not in
      ('mysql', 'sys', 'information_schema', 'performance_schema') order by 1, 2, 4;
    select table_schema, table_name, engine, table_collation from information_schema.tables where
      table_schema not in ('mysql', 'sys', 'information_schema', 'performance_schema')
      order by 1, 2;
    select * from ccrepo.site_info order by name" || return
  # MySQL 8.0 and later.
  sql "select * from mysql.global_grants order by user, host, priv" 2>/dev/null || :
}

asterisk_server() {
  told=$(asterisk_answers) || return
  printf '%s\n' "$told" | grep -Ev '^ *(Next|Current) ' |
    sed 's/ (Current [0-9]*)//; s/ [0-9][0-9]*  *\(\(Not \)*Running\)/ \1/'
}

asterisk_answers() {
  for command in 'core show version' 'module show' 'core show settings' 'dialplan show' \
    'http show status' 'rtp show settings' 'manager show settings' 'cdr show status' \
    'pjsip list auths' 'pjsip list transports'; do
    echo "$command"
    timeout 5 asterisk -rx "$command" || return
  done
}

# Folders of Asterisk's spool that it can't use, down to the recordings' folder of each day. Those
# may contain millions of files: the doctor and the role check them all, this does not.
spool() {
  find /var/spool/asterisk -maxdepth 4 -ignore_readdir_race \
    \( ! -user asterisk -o -type d ! -perm -u=rwx -o -type f ! -perm -u=rw \) -print -quit
}

# Copies its input; fails if that is empty.
filled() { awk '{print} END {exit NR == 0}'; }

account() { getent passwd "$1" && id -Gn "$1" | tr ' ' '\n' | sort; }
group() { getent group "$1" | cut -d : -f 1-3 | filled; }

state() {
  case $1 in
    tree) summed tree "$2" ;;
    account | group) summed "$1" "$2" ;;
    table) summed table "$2" ;;
    running)
      case $2 in
        kernel | spool) summed "$2" ;;
        mysql | asterisk) summed "$2_server" ;;
        *) unknown ;;
      esac
      ;;
  esac
}

paths
units
packages
for kind in tree account group table running; do
  names "$kind" | lines "$kind"
done
