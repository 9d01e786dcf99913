#!/bin/sh
# Makes the secrets of a deployment where there are none: the master key, and passwords that no person needs to know.
# Each folder below SECRETS is for the processes of its name. OWNER is the account of counterpart, by its number in the
# Dockerfile.
set -eu
: "${SECRETS:?}" "${OWNER:?}"
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

key=$SECRETS/counterpart/master.key
# The master key is written last: where it is, all the rest is there.
[ ! -s "$key" ] || exit 0
if [ -e "$key" ]; then
    # Another one would not open what this one has locked.
    echo "secrets.sh: $key is empty: put it back from a back-up. Where nothing is stored yet, remove all volumes" >&2
    exit 1
fi
counterpart=$(random) replicator=$(random) redis=$(random)
printf %s "$counterpart" >"$SECRETS/postgres/counterpart"
printf %s "$replicator" >"$SECRETS/postgres/replicator"
printf %s "$redis" >"$SECRETS/redis/password"
umask 077
printf %s "$redis" >"$SECRETS/counterpart/redis"
printf '*:*:*:counterpart:%s\n' "$counterpart" >"$SECRETS/counterpart/pgpass"
printf '%s\n' "$(random)" >"$key.new"
chown -R "$OWNER" "$SECRETS/counterpart"
# PostgreSQL flushes what the key has locked: a power cut must not leave it without the key.
sync "$key.new" "$SECRETS"/counterpart/* "$SECRETS"/postgres/* "$SECRETS"/redis/* "$SECRETS"/*
mv "$key.new" "$key"
sync "$SECRETS/counterpart"
