#!/usr/bin/env bash
# Builds the Dockerfile, runs the image as an engine would, and waits for its health check to turn green. With docker
# or podman at hand it uses that. Without, buildah does every step in a chroot, on a base made by debootstrap, and this
# script plays the engine: entrypoint, command, user and health check are read back from the image, not repeated here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

IMAGE=localhost/counterpart
BASE=localhost/bookworm-slim
work=$(mktemp -d)
server='' container='' till_port=''

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; [ ! -s "$work/log" ] || tail -n 40 "$work/log" >&2; exit 1; }
finish() {
    [ -z "$server" ] || kill -KILL -- "-$server" 2>/dev/null || true
    [ -z "$container" ] || "$remove" "$container" >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"
}
trap finish EXIT

free_port() {
    local port
    for port in $(shuf -i 18000-31000 -n 50); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    return 1
}

# try SECONDS COMMAND...: until it works
try() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.5; done
}

# The demo tenant answers a charge of the image's own register, and a reward of its demo member's lands on a sale at the
# fake Lightspeed inside; address, token, card and sale are those that were printed.
printed() { sed -n "s/^$1='\(.*\)'\r*$/\1/p" "$work/log" | head -n 1; }
charge() {
    try 20 grep -q '^DEMO_CARD=' "$work/log" || die "the entrypoint printed no demo tenant"
    "$@" tillsim checkout --url "$(printed DEMO_URL)" --token "$(printed DEMO_TOKEN)" --card "$(printed DEMO_CARD)" \
        --amount 1.00 || die "the demo charge was refused"
    "$@" tillsim loyalty --url "$(printed DEMO_URL)" --keyword kent --reward 1 --order "$(printed DEMO_ORDER)" \
        --cloud "$(printed DEMO_CLOUD)" || die "the demo reward was refused"
}

# The till's page, and a checkout through it: a cashier who sells, taps the payment type, and types the demo card.
ask_till() { # PATH BODY, and behind them the words that run it in the container
    local path=$1 body=$2
    shift 2
    "$@" curl -sS --max-time 20 -H 'Content-Type: application/json' -d "$body" "http://localhost:$till_port/_till/$path"
}
pay_at_till() {
    local page file answer press
    try 20 "$@" curl -sf -o /dev/null "http://localhost:$till_port/_till/state" || die "the till does not answer"
    page=$("$@" curl -sf "http://localhost:$till_port/") || die "the till has no page"
    grep -qi '<!doctype html>' <<<"$page" || die "the till's page is none: $page"
    for file in $(grep -oE '(src|href)="[^"]*"' <<<"$page" | cut -d'"' -f2); do
        "$@" curl -sf -o /dev/null "http://localhost:$till_port/${file#/}" || die "the till's page lacks $file"
    done
    answer=$(ask_till lines '{"product_id":7302}' "$@")
    grep -q '"due":"4.50"' <<<"$answer" || die "the till sells no latte: $answer"
    press='{"type":"Our Gift Card","reference":"'$(printed DEMO_CARD)'","entry":"typed"}'
    answer=$(ask_till pay "$press" "$@")
    grep -q '"ending":"approved"' <<<"$answer" || die "the till's checkout was not approved: $answer"
    grep -q '"method":"Our Gift Card"' <<<"$answer" || die "the order does not show the payment: $answer"
    say "a latte was paid at the till: $(grep -oE '"text":"Gift card[^"]*"' <<<"$answer" | head -n 1)"
}

with_engine() {
    local engine=$1 health
    remove=remove_with_engine
    say "$engine build"
    "$engine" build -t $IMAGE .
    container=$("$engine" run -d -p "127.0.0.1:$(free_port):8080" $IMAGE)
    healthy() { health=$("$engine" inspect -f '{{.State.Health.Status}}' "$container") && [ "$health" = healthy ]; }
    try 60 healthy || { "$engine" logs "$container" >"$work/log" 2>&1; die "health is $health"; }
    say "the health check is green"
    "$engine" logs "$container" >"$work/log" 2>&1
    till_port=8091
    charge "$engine" exec "$container"
    pay_at_till "$engine" exec "$container"
    "$engine" stop -t 15 "$container" >/dev/null
    [ "$("$engine" inspect -f '{{.State.ExitCode}}' "$container")" = 0 ] || die "it did not stop cleanly"
}
remove_with_engine() { "$engine" rm -f "$1"; }

make_base() {
    buildah inspect --type image $BASE >/dev/null 2>&1 && return
    say "debootstrap: a base image of our own"
    debootstrap --variant=minbase bookworm "$work/root" http://deb.debian.org/debian >"$work/log"
    local base
    base=$(buildah from scratch)
    buildah copy -q "$base" "$work/root" / >/dev/null
    buildah commit -q --rm "$base" $BASE >/dev/null
}

# config NAME: an array of the image's configuration, one item a line
config() { buildah inspect --type image --format "{{range .Docker.Config.$1}}{{println .}}{{end}}" $IMAGE | sed '/^$/d'; }

# The container's first process: the entrypoint, in the process group that buildah was started in.
first_process() {
    local pid
    for pid in $(pgrep -g "$server"); do
        [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "/bin/bash ${entrypoint[*]} ${command[*]} " ] && echo "$pid" && return
    done
    die "the entrypoint is not running"
}

with_buildah() {
    local missing=() tool port entrypoint command health
    for tool in buildah debootstrap; do command -v $tool >/dev/null || missing+=($tool); done
    [ ${#missing[@]} = 0 ] || DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"
    export BUILDAH_ISOLATION=chroot
    remove='buildah_rm'
    make_base
    say "buildah bud"
    buildah bud --layers --format docker --build-arg BASE=$BASE -t $IMAGE .
    buildah images $IMAGE
    mapfile -t entrypoint < <(config Entrypoint)
    mapfile -t command < <(config Cmd)
    mapfile -t health < <(config Healthcheck.Test)
    [ "${health[0]}" = CMD ] || die "the image has no health check"
    health=("${health[@]:1}")

    container=$(buildah from $IMAGE)
    port=$(free_port) # a chroot shares our network
    till_port=$((port + 2))
    inside=(buildah run --env COUNTERPART_LISTEN=0.0.0.0:"$port" --env DEMO_CLOUD_LISTEN=127.0.0.1:$((port + 1))
        --env DEMO_TILL_LISTEN=127.0.0.1:$till_port "$container" --)
    "${inside[@]}" "${health[@]}" 2>/dev/null && die "the health check is green before anything runs"
    say "running ${entrypoint[*]} ${command[*]} as $(buildah inspect --type image --format '{{.Docker.Config.User}}' $IMAGE)"
    set -m
    "${inside[@]}" "${entrypoint[@]}" "${command[@]}" >"$work/log" 2>&1 &
    server=$!
    set +m
    try 60 "${inside[@]}" "${health[@]}" 2>/dev/null || die "the health check did not turn green"
    say "the health check is green"
    charge "${inside[@]}"
    pay_at_till "${inside[@]}"
    kill -TERM "$(first_process)" # as an engine would: the container's first process alone
    wait "$server" || die "it did not stop cleanly: exit code $?"
    server=''
    "${inside[@]}" "${health[@]}" 2>/dev/null && die "the health check is green after the end"
    true
}
buildah_rm() { buildah rm "$1"; }

remove=:
if docker info >/dev/null 2>&1; then engine=docker && with_engine docker
elif podman info >/dev/null 2>&1; then engine=podman && with_engine podman
else with_buildah; fi
say "image built, run, charged, stopped"
