#!/usr/bin/env bash
# Removes from the archive the log that only back-ups older than the one named would need.
set -euo pipefail

usage() { echo "usage: trim.sh --archive FOLDER --oldest FOLDER   (the oldest back-up that is kept)"; }
die() { printf 'trim.sh: %s\n' "$*" >&2; exit 1; }

archive='' oldest=''
while [ $# -gt 0 ]; do
    case $1 in
        --archive | --oldest) [ $# -ge 2 ] || { usage >&2; exit 2; }; printf -v "${1#--}" %s "$2"; shift 2 ;;
        --help) usage; exit ;;
        *) usage >&2; exit 2 ;;
    esac
done
if [ -z "$archive" ] || [ -z "$oldest" ]; then usage >&2; exit 2; fi
[ -e "$oldest/SHA256SUMS" ] || die "$oldest is no whole back-up: nothing was removed"
first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]\{24\}\))$/\1/p' "$oldest/base/backup_label")
[ -n "$first" ] || die "$oldest/base/backup_label does not say where its log begins: nothing was removed"
PATH=/usr/lib/postgresql/$(<"$oldest/base/PG_VERSION")/bin:$PATH
pg_archivecleanup -x .gz "$archive" "$first"
