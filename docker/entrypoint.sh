#!/bin/bash
# Serves; with DEMO=1 a fake Lightspeed runs beside it, a demo tenant is set up and connected to it, a till for the tenant
# is opened, and what to paste is printed. Anything but `serve` is handed to the command line client, as in `docker exec ... counterpart tenant list`.
set -euo pipefail
here=$(dirname "$0")

if [ "${1:-serve}" != serve ] || [ "${DEMO:-0}" != 1 ]; then
    exec counterpart "$@"
fi

# Unless the environment names another Lightspeed.
cloud='' till=''
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
    # The till keeps its orders in our fake: with another Lightspeed there is none.
    if [ -n "$cloud" ]; then
        # shellcheck disable=SC1091
        . "$COUNTERPART_DATA/demo.env"
        listen=${DEMO_TILL_LISTEN:-0.0.0.0:8091}
        tillsim register --listen "$listen" --cloud "$DEMO_CLOUD" --url "$DEMO_URL" --token "$DEMO_TOKEN" &
        till=$!
        echo
        echo "The till: http://localhost:${listen##*:}"
    fi
else
    echo "the demo tenant could not be set up" >&2
fi

# A signal interrupts wait; the service then drains, and its own exit code is ours.
status=0
while kill -0 "$server" 2>/dev/null; do
    status=0
    wait "$server" || status=$?
done
for helper in $till $cloud; do kill -TERM "$helper" 2>/dev/null || true; done
exit "$status"
