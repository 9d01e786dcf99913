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
  --until    the moment, as PostgreSQL reads it: '2026-11-22 18:03:00+11'; without it: the end of the log. What was
             committed at that moment or later is not in it. A transaction of then or later must be in the log, and the
             zone is a number
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
    fetch=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/fetch.sh
    [ -e "$fetch" ] || die "$fetch is not there"
    restore_command="bash '$fetch' '$(realpath "$archive")' %f \"%p\""
fi
settings=(config_file="$private/empty.conf" hba_file="$private/hba.conf" listen_addresses= ssl=off port=5432
    unix_socket_directories="$private" hot_standby=off archive_mode=off synchronous_standby_names= fsync=on
    shared_preload_libraries= recovery_target_action=promote recovery_target_inclusive=off
    restore_command="$restore_command")
[ -z "$until" ] || settings+=(recovery_target_time="$until")

# --- the log, up to the moment

# The time of the last transaction that PostgreSQL has met in the log; nothing where there was none.
find_last_time() { sed -n 's/.*last completed transaction was at log time //p' "$private/log" | tail -n 1; }
find_pieces() { grep -oE '\<[0-9A-F]{24}\>' | sort | tail -n 1; } # the newest of the names that it reads

tell_end() {
    local time
    time=$(find_last_time)
    if [ -n "$time" ]; then say "the log was followed so far: its last transaction is of $time"
    else say "there is no transaction in the log since the back-up"; fi
    # A file of a timeline may be damaged, too: then PostgreSQL has taken another way.
    grep '^fetch.sh: .* is damaged' "$private/log" | sort -u >&2 || true
}

# The log has ended where the archive does when PostgreSQL has asked for a piece beyond the newest. Otherwise something
# is lost between, and PostgreSQL, which cannot know, has taken it for the end.
check_end() {
    local newest beyond last why time
    newest=$(find "$archive" -maxdepth 1 -name '*.gz' -printf '%f\n' | grep -E '^[0-9A-F]{24}\.gz$' | find_pieces)
    beyond=$(grep '^fetch.sh: .* is not in ' "$private/log" | find_pieces)
    [[ -n $newest && ! $beyond > $newest ]] || return 0
    last=$(grep -E '^fetch.sh: |restored log file' "$private/log" | find_pieces)
    why=$(grep "^fetch.sh: $last is" "$private/log" | tail -n 1)
    say "the log breaks off at $last (${why:-there is no whole log in it}); the archive goes on to $newest"
    time=$(find_last_time)
    if [ -n "$time" ]; then say "to restore what comes before that last transaction, and nothing later: --until '$time'"
    else say "to restore the back-up alone, and nothing later: no --archive"; fi
    return 1
}

not_restored() {
    server=''
    cat "$private/log" >&2
    if grep -q 'recovery ended before configured recovery target' "$private/log"; then
        tell_end
        check_end || true
    fi
    die "PostgreSQL could not restore it"
}

postgres -D "$unfinished" "${settings[@]/#/--}" >"$private/log" 2>&1 &
server=$!
say "going through the log${until:+ until $until}"
until pg_isready --quiet --host="$private" --port=5432; do
    kill -0 "$server" 2>/dev/null || not_restored
    sleep 0.2
done
tell_end
[ -n "$until" ] || [ -z "$archive" ] || check_end || die "nothing was restored"

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
from now on, and no rehearsal: ALTER SYSTEM SET archive_mode = on and RESET synchronous_standby_names, restart it, and
make a back-up. A replica that was copied before has both settings of its own.
TEXT
