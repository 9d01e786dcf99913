#!/usr/bin/env bash
# Makes a PostgreSQL data folder of what backup.sh and archive.sh have kept, as it was at a moment, and lets the store
# in it begin anew (counterpart begin-anew). Until both are done nobody can reach the server: it listens on a socket in
# a folder of this script's alone, and the data folder gets its name last. Run it as the account that owns the cluster.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: restore.sh --from FOLDER --to DATA_FOLDER --url URL [--archive FOLDER] [--until TIME] [--key FILE]

  --from     what backup.sh has made
  --to       the server's data folder: one that is new, or empty
  --url      of the database, with the service's role: postgresql://counterpart@/counterpart (the host is this machine)
  --archive  where archive.sh has kept the log; without it the store is as it was when the back-up was made
  --until    the moment, as PostgreSQL reads it: '2026-11-22 18:03:00+11'; without it: the end of the log
  --key      the service's master key, where it is not in the back-up
  COUNTERPART names the program, where it is not in PATH.
TEXT
}
say() { printf 'restore.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

from='' to='' url='' archive='' until='' key=''
while [ $# -gt 0 ]; do
    case $1 in
        --from | --to | --url | --archive | --until | --key)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            printf -v "${1#--}" %s "$2"
            shift 2
            ;;
        --help) usage; exit ;;
        *) usage >&2; exit 2 ;;
    esac
done
if [ -z "$from" ] || [ -z "$to" ] || [ -z "$url" ]; then usage >&2; exit 2; fi
[ -z "$until" ] || [ -n "$archive" ] || die "--until needs --archive: the back-up alone is of one moment"
[[ $url =~ ^postgres(ql)?://([^@/?]*)@[^/?]*/([^?]+) ]] || die "$url does not name role and database"
role=${BASH_REMATCH[2]%%:*} database=${BASH_REMATCH[3]}
counterpart=${COUNTERPART:-counterpart}
command -v "$counterpart" >/dev/null || die "there is no program $counterpart; set COUNTERPART to where it is"
umask 077

# --- what there is

[ -e "$from/SHA256SUMS" ] || die "$from is no whole back-up, for it has no SHA256SUMS"
(cd "$from" && sha256sum --quiet --check SHA256SUMS) || die "$from is not as it was when the back-up was made"
PATH=/usr/lib/postgresql/$(<"$from/base/PG_VERSION")/bin:$PATH
pg_verifybackup --quiet "$from/base" || die "$from/base is not as it was when the back-up was made"
key=${key:-$from/master.key}
[ -e "$key" ] || die "$key is not there, and the store cannot be read without its master key"
mkdir -p "$to"
[ -z "$(ls -A "$to")" ] || die "$to is not empty; name a folder that is new, so that nothing is written over"

# --- the copy, where only we reach it

unfinished=${to%/}.unfinished
[ ! -e "$unfinished" ] || die "$unfinished is left of an attempt that was broken off: remove it"
private=$(mktemp -d)
server=''
clean_up() {
    [ -z "$server" ] || { kill -INT "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$private"
    [ ! -e "$unfinished" ] || rm -rf "$unfinished"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
cp -a "$from/base" "$unfinished"
chmod 0700 "$unfinished"
touch "$unfinished/recovery.signal"
: >"$private/empty.conf"
echo 'local all all trust' >"$private/hba.conf"
restore_command=false
if [ -n "$archive" ]; then
    piece="'$(realpath "$archive")/%f.gz'"
    restore_command="test -e $piece && gzip -dc $piece >\"%p\""
fi
settings=(config_file="$private/empty.conf" hba_file="$private/hba.conf" listen_addresses= ssl=off port=5432
    unix_socket_directories="$private" hot_standby=off archive_mode=off synchronous_standby_names= fsync=on
    shared_preload_libraries= recovery_target_action=promote restore_command="$restore_command")
[ -z "$until" ] || settings+=(recovery_target_time="$until")

# --- the log, up to the moment

postgres -D "$unfinished" "${settings[@]/#/--}" >"$private/log" 2>&1 &
server=$!
say "going through the log${until:+ until $until}"
until pg_isready --quiet --host="$private" --port=5432; do
    kill -0 "$server" 2>/dev/null || { server=''; cat "$private/log" >&2; die "PostgreSQL could not restore it"; }
    sleep 0.2
done

# --- the store begins anew, and every law is recomputed

mkdir "$private/data"
cp "$key" "$private/data/master.key"
env -i PATH="$PATH" COUNTERPART_DATA="$private/data" \
    COUNTERPART_DATABASE="postgresql://$role@/$database?host=$private&port=5432" \
    "$counterpart" begin-anew >"$private/told" || die "the store is not whole, or this is not its key"

kill -INT "$server"
wait "$server" || { server=''; cat "$private/log" >&2; die "PostgreSQL did not end in good order"; }
server=''
# Whoever only rehearses must not write to the archive of the original, nor wait for its replica.
cat >>"$unfinished/postgresql.auto.conf" <<'TEXT'
archive_mode = 'off'
synchronous_standby_names = ''
TEXT
rmdir "$to"
mv "$unfinished" "$to"
sync -f "$to"
cat "$private/told"
cat >&2 <<'TEXT'
restore.sh: restored. Before the service starts, remove the file timeline from the data folder of each of its
processes, and make sure that no address in COUNTERPART_DATABASE leads to a server of before. When this is the server
from now on, and no rehearsal: ALTER SYSTEM RESET archive_mode and synchronous_standby_names, restart it, and make a
back-up.
TEXT
