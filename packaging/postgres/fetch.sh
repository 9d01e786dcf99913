#!/usr/bin/env bash
# PostgreSQL's restore_command: gives back a piece of the log that archive.sh has kept.
#   restore_command = '/usr/share/counterpart/postgres/fetch.sh /archive %f %p'
# PostgreSQL takes every failure for the end of the log. So each is told in its log, for restore.sh to tell the end from
# a piece that is damaged or lost.
set -euo pipefail
[ $# = 3 ] || { echo "usage: fetch.sh FOLDER NAME PATH" >&2; exit 2; }
piece=$1/$2.gz name=$2 to=$3
[ -e "$piece" ] || { echo "fetch.sh: $name is not in $1" >&2; exit 1; }
gzip -dc "$piece" >"$to" && exit 0
rm -f "$to"
echo "fetch.sh: $name is damaged in $1" >&2
exit 1
