#!/bin/sh
# Serves with the password of Redis and its Sentinels, which stands in a file, in COUNTERPART_REDIS.
set -eu
: "${SECRETS:?}" "${SENTINELS:?}"
COUNTERPART_REDIS="redis+sentinel://:$(cat "$SECRETS/redis")@$SENTINELS/counterpart"
export COUNTERPART_REDIS
exec counterpart "$@"
