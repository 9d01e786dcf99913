#!/usr/bin/env bash
# Puts a new program to work in the processes of this machine, one after the other, and no request is refused: each
# hands over to a successor (counterpart hand-over). Processes of other machines on the same PostgreSQL go on meanwhile
# with the program of before, and are upgraded the same way afterwards.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: upgrade.sh --program FILE --installed FILE DATA_FOLDER...
       upgrade.sh --back --installed FILE DATA_FOLDER...

  --program    the new program
  --installed  where the processes were started from: /usr/bin/counterpart. What is there is kept as FILE.before
  --back       FILE.before to work again
  DATA_FOLDER  of each process, in the order in which they hand over
TEXT
}
die() { printf 'upgrade.sh: %s\n' "$*" >&2; exit 1; }

program='' installed='' back=''
while [ $# -gt 0 ]; do
    case $1 in
        --program | --installed) [ $# -ge 2 ] || { usage >&2; exit 2; }; printf -v "${1#--}" %s "$2"; shift 2 ;;
        --back) back=yes; shift ;;
        --help) usage; exit ;;
        -*) usage >&2; exit 2 ;;
        *) break ;;
    esac
done
before=$installed.before
[ -z "$back" ] || program=$before
if [ -z "$program" ] || [ -z "$installed" ] || [ $# = 0 ]; then usage >&2; exit 2; fi

"$program" help >/dev/null || die "$program does not run here; nothing was changed"
for folder in "$@"; do
    COUNTERPART_DATA=$folder "$installed" tenant list >/dev/null || die "nobody serves $folder; nothing was changed"
done

# Whoever starts a process meanwhile finds one whole program or the other. Said again, .before stays what it is.
replace() { cp -p "$1" "$2.part" && chmod 0755 "$2.part" && mv -f "$2.part" "$2"; }
is_new=
if ! cmp -s "$program" "$installed"; then
    is_new=yes
    cp -p "$program" "$installed.next"
    # The way back of the last upgrade, for as long as this one may come to nothing.
    [ ! -e "$before" ] || cp -p "$before" "$before.kept"
    replace "$installed" "$before"
    replace "$installed.next" "$installed"
    rm "$installed.next"
elif [ -n "$back" ]; then
    echo "upgrade.sh: $before is the program that is installed: the processes start anew with the same" >&2
fi
undo() {
    replace "$before" "$installed"
    if [ -e "$before.kept" ]; then mv -f "$before.kept" "$before"; else rm "$before"; fi
}

done=0
for folder in "$@"; do
    if COUNTERPART_DATA=$folder "$installed" hand-over; then
        done=$((done + 1))
        continue
    fi
    # The process of this folder goes on with the program that it had.
    [ $done = 0 ] || die "$folder goes on as it was, the $done before it have the new program: say this again, or --back"
    [ -z $is_new ] || undo
    die "nothing was changed: $installed is what it was"
done
rm -f "$before.kept"
