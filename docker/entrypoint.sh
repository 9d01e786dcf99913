#!/bin/bash
# Serves; with DEMO=1 a fake Lightspeed runs beside it, a demo tenant is set up and connected to it, and what to paste is
# printed. Anything but `serve` is handed to the command line client, as in `docker exec ... counterpart tenant list`.
set -euo pipefail
here=$(dirname "$0")

if [ "${1:-serve}" != serve ] || [ "${DEMO:-0}" != 1 ]; then
    exec counterpart "$@"
fi

# Unless the environment names another Lightspeed.
cloud=
if [ -z "${COUNTERPART_OSERIES_API_URL:-}" ]; then
    listen=${DEMO_CLOUD_LISTEN:-0.0.0.0:8090}
    # A new fake knows no order of the one before it: a ledger that is there already must not meet its ids again.
    ids=$([ ! -e "$COUNTERPART_DATA/counterpart.sqlite" ] || printf -- '--order-ids-from=%s00' "$(date +%s)")
    tillsim cloud --listen "$listen" $ids &
    cloud=$!
    export DEMO_CLOUD=http://127.0.0.1:${listen##*:}
    export COUNTERPART_OSERIES_AUTHORIZE_URL=$DEMO_CLOUD/authorize COUNTERPART_OSERIES_TOKEN_URL=$DEMO_CLOUD/v1/token \
        COUNTERPART_OSERIES_API_URL=$DEMO_CLOUD/v1
fi

counterpart "$@" &
server=$!
trap 'kill -TERM "$server" 2>/dev/null || true' TERM INT
for _ in $(seq 100); do
    "$here/health.sh" 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if "$here/seed.sh" /usr/local/bin; then
    echo
    echo "Outside this container, paste these lines instead of the first one:"
    grep '^DEMO_' "$COUNTERPART_DATA/demo.env"
else
    echo "the demo tenant could not be set up" >&2
fi

# A signal interrupts wait; the service then drains, and its own exit code is ours.
status=0
while kill -0 "$server" 2>/dev/null; do
    status=0
    wait "$server" || status=$?
done
[ -z "$cloud" ] || kill -TERM "$cloud" 2>/dev/null || true
exit "$status"
