#!/usr/bin/env bash
# PostgreSQL's archive_command: keeps a finished piece of the log, safely on the disk before it says so.
#   archive_command = '/usr/share/counterpart/postgres/archive.sh /archive %p %f'
# A piece that is there already and the same is fine (the server asks again after a crash); another is never replaced.
# Compressed: a piece that archive_timeout has ended early is 16 MiB of which most is zeros.
set -euo pipefail
[ $# = 3 ] || { echo "usage: archive.sh FOLDER PATH NAME" >&2; exit 2; }
folder=$1 from=$2 name=$3.gz
umask 077
if [ -e "$folder/$name" ]; then
    if gzip -dc "$folder/$name" | cmp -s - "$from"; then
        sync "$folder" # whoever wrote it may have ended before its name was on the disk
        exit 0
    fi
    echo "archive.sh: $folder/$name is there and differs: is another server writing here?" >&2
    exit 1
fi
gzip -1 -c "$from" >"$folder/.$name.part"
sync "$folder/.$name.part"
mv "$folder/.$name.part" "$folder/$name"
sync "$folder"
