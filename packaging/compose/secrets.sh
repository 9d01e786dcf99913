#!/bin/sh
# Makes the secrets of a deployment where there are none: the master key, and passwords that no person needs to know.
# Each folder below SECRETS is for the processes of its name. OWNER is the account of counterpart, by its number in the
# Dockerfile.
set -eu
: "${SECRETS:?}" "${OWNER:?}"
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# The master key is written last: where it is, all the rest is there.
[ ! -e "$SECRETS/counterpart/master.key" ] || exit 0
counterpart=$(random) replicator=$(random) redis=$(random)
printf %s "$counterpart" >"$SECRETS/postgres/counterpart"
printf %s "$replicator" >"$SECRETS/postgres/replicator"
printf %s "$redis" >"$SECRETS/redis/password"
umask 077
printf %s "$redis" >"$SECRETS/counterpart/redis"
printf '*:*:*:counterpart:%s\n' "$counterpart" >"$SECRETS/counterpart/pgpass"
printf '%s\n' "$(random)" >"$SECRETS/counterpart/master.key.new"
chown -R "$OWNER" "$SECRETS/counterpart"
mv "$SECRETS/counterpart/master.key.new" "$SECRETS/counterpart/master.key"
