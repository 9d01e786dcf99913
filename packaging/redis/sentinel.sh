#!/bin/sh
# One Sentinel, NODE, of those that watch the Redis servers; PRIMARY is the one that serves at its first start. What it
# learns it writes into its configuration, in /data.
set -eu
: "${NODE:?}" "${LISTEN:?}" "${SECRETS:?}" "${PRIMARY:?}"
umask 077
if [ ! -e /data/sentinel.conf ]; then
    password=$(cat "$SECRETS/password")
    cat >/data/sentinel.conf.new <<END
bind $LISTEN
port 26379
dir /data
requirepass $password
sentinel sentinel-pass $password
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $NODE
sentinel monitor counterpart $PRIMARY 6379 2
sentinel auth-pass counterpart $password
sentinel down-after-milliseconds counterpart 3000
sentinel failover-timeout counterpart 10000
END
    mv /data/sentinel.conf.new /data/sentinel.conf
fi
exec redis-server /data/sentinel.conf --sentinel
