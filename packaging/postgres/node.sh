#!/bin/sh
# One server of the PostgreSQL cluster, NODE. Its first start makes its data in PGDATA: a new cluster, or, with FOLLOW,
# a copy of the server of that name, which it follows from then on. Runs as the account postgres.
#
# NODES are both, as synchronous_standby_names has them. SECRETS is a folder with the passwords of two roles, one a
# file: counterpart, which owns the database of that name, and replicator.
set -eu
: "${NODE:?}" "${NODES:?}" "${LISTEN:?}" "${SECRETS:?}" "${PGDATA:?}"
new=$PGDATA.new

# Written at every start, so that a changed line needs a restart and nothing else.
write_settings() {
    cat >"$1/node.conf" <<END
listen_addresses = '$LISTEN'
cluster_name = '$NODE'
# A commit waits until the other server has flushed it: no answered payment is lost with a machine. With nobody there to
# wait for, payments are refused.
synchronous_standby_names = 'FIRST 1 ($NODES)'
wal_keep_size = '1GB'
wal_log_hints = on
password_encryption = 'scram-sha-256'
END
    cat >"$1/pg_hba.conf" <<END
local  all          postgres                  peer
host   counterpart  counterpart  all          scram-sha-256
host   replication  replicator   all          scram-sha-256
host   replication  backup       all          scram-sha-256
END
}

make_roles() {
    psql -X -q -v ON_ERROR_STOP=1 -h "$new" -d postgres <<END
\set counterpart \`cat "$SECRETS/counterpart"\`
\set replicator \`cat "$SECRETS/replicator"\`
CREATE ROLE counterpart LOGIN PASSWORD :'counterpart';
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replicator';
CREATE DATABASE counterpart OWNER counterpart TEMPLATE template0 ENCODING UTF8;
END
}

make_cluster() {
    initdb -D "$new" -E UTF8 --locale=C --auth-local=peer --auth-host=reject --no-instructions
    echo "include 'node.conf'" >>"$new/postgresql.conf"
    write_settings "$new"
    # Nobody can reach it yet, not even a health check, and it waits for no replica.
    pg_ctl -D "$new" -w -l "$new/first.log" -o "-k '$new' -c listen_addresses='' -c synchronous_standby_names=''" start
    make_roles
    pg_ctl -D "$new" -w -m fast stop
}

copy_cluster() {
    PGPASSWORD=$(cat "$SECRETS/replicator")
    export PGPASSWORD
    pg_basebackup -D "$new" -d "host=$FOLLOW user=replicator" -c fast -X stream --write-recovery-conf
    unset PGPASSWORD
    # What was switched off there for a while (ALTER SYSTEM: to go on with one server, or by restore.sh) came along, and
    # stands above node.conf. Promoted one day, this server must wait for a replica, and keep its log.
    sed -i -E "/^synchronous_standby_names\>/d; /^archive_mode = 'off'/d" "$new/postgresql.auto.conf"
}

umask 077
if [ ! -e "$PGDATA" ]; then
    rm -rf "$new" # one that was broken off
    if [ -n "${FOLLOW:-}" ]; then copy_cluster; else make_cluster; fi
    mv "$new" "$PGDATA"
fi
write_settings "$PGDATA"
exec postgres -D "$PGDATA"
