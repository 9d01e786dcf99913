#!/bin/sh
# One Redis of hot balances, NODE, in /data. FOLLOW is whom it follows at its first start; afterwards the Sentinels
# write into its configuration who follows whom. Nothing else in /data is worth keeping.
set -eu
: "${NODE:?}" "${LISTEN:?}" "${SECRETS:?}"
umask 077
if [ ! -e /data/redis.conf ]; then
    password=$(cat "$SECRETS/password")
    {
        cat <<END
bind $LISTEN
port 6379
dir /data
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
requirepass $password
masterauth $password
replica-announce-ip $NODE
END
        [ -z "${FOLLOW:-}" ] || echo "replicaof $FOLLOW 6379"
    } >/data/redis.conf.new
    mv /data/redis.conf.new /data/redis.conf
fi
exec redis-server /data/redis.conf
