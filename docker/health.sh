#!/bin/bash
# Asks /readyz on the first address that we listen on; healthy means it says 200. Needs nothing but bash.
set -euo pipefail
address=${COUNTERPART_LISTEN:-127.0.0.1:8080}
address=${address%%,*}
case $address in https://*) echo "health.sh speaks plain HTTP only: list an http address first" >&2; exit 1 ;; esac
address=${address#http://}
host=${address%:*}
[ "$host" != 0.0.0.0 ] || host=127.0.0.1
exec 3<>"/dev/tcp/$host/${address##*:}"
printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 2 _ status _ <&3
[ "$status" = 200 ]
