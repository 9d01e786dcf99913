#!/usr/bin/env bash
# Copies the PostgreSQL server that holds a store, beside running services, and the master key.
#
# A copy of the server's files and not a dump: with the archived log it goes to any moment after it was made, up to the
# last payment that was archived. A dump goes to its own moment only, and whoever was answered later is forgotten.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: backup.sh --url URL --to FOLDER --key FILE | --without-key

  --url          a server of the cluster, with a role that may replicate: postgresql://backup@host:5432/
  --to           a folder that is new, or empty
  --key          the service's master.key: without it no card number or token of the copy can be read
  --without-key  the key is kept elsewhere, and restore.sh will be told where

A folder with the file SHA256SUMS is whole; that file is written last.
TEXT
}
die() { printf 'backup.sh: %s\n' "$*" >&2; exit 1; }

url='' to='' key='' without_key=''
while [ $# -gt 0 ]; do
    case $1 in
        --url | --to | --key) [ $# -ge 2 ] || { usage >&2; exit 2; }; printf -v "${1#--}" %s "$2"; shift 2 ;;
        --without-key) without_key=yes; shift ;;
        --help) usage; exit ;;
        *) usage >&2; exit 2 ;;
    esac
done
if [ -z "$url" ] || [ -z "$to" ] || [ -z "$key$without_key" ]; then usage >&2; exit 2; fi

# Debian keeps most of PostgreSQL's programs out of PATH: the newest can copy an older server.
PATH=$PATH:$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
umask 077
mkdir -p "$to"
[ -z "$(ls -A "$to")" ] || die "$to is not empty; name a folder that is new, so that nothing is written over"
if [ -n "$key" ]; then
    grep -qxE '[0-9a-fA-F]{64}' "$key" || die "$key is no master key: a file of 64 hex digits"
fi

pg_basebackup --dbname="$url" --pgdata="$to/base" --format=plain --wal-method=stream --checkpoint=fast \
    --manifest-checksums=SHA256 --label=counterpart
pg_verifybackup --quiet "$to/base" || die "the copy is not what the server sent"

# The manifest has the digest of every file of the copy.
[ -z "$key" ] || key=$(realpath "$key")
cd "$to"
files=(base/backup_manifest)
if [ -n "$key" ]; then
    cp "$key" master.key
    files+=(master.key)
fi
sha256sum "${files[@]}" >.SHA256SUMS.part
sync -f .
mv .SHA256SUMS.part SHA256SUMS
sync -f .
[ -z "$key" ] || echo "backup.sh: $to/master.key opens every card number and token in this back-up: whoever has both" \
    "has everything. Keep them where only you can read them" >&2
du -sh "$to" | cut -f 1
