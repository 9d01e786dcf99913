#!/bin/sh
# Puts the demo tenant into a running service and prints what to paste.
#
#   COUNTERPART_DATA=./var mocks/demo/seed.sh [FOLDER-OF-THE-BINARIES, default build/release]
#
# Safe to run again: what is there already is left alone. Everything goes through the command line,
# as it would for a real merchant; the cards are ordinary rows.
set -eu

bin=${1:-build/release}
data=${COUNTERPART_DATA:-./var}
env_file=$data/demo.env

company=5678 site=923 register=9091
token=demo-signature-token
# Luhn-valid numbers, always the same, so that the Postman environment can name them.
card=6036280000010010           # 100.00
card_2=6036280000010028         # 25.00
card_empty=6036280000010036
card_expired=6036280000010044
card_disabled=6036280000010051
card_pin=6036280000010069 pin=4711
card_stock=6036280000010077     # printed, not sold: its first top-up activates it
unknown=6036280000099997

counterpart() {
    "$bin/counterpart" "$@"
}

# What the service knows about the demo tenant, as one line of JSON; empty: it is not there.
find_tenant() {
    counterpart tenant list --json | tr -d '\n' | sed 's/{"id":/\n{"id":/g' |
        grep "\"oseries_company\":$company," || true
}

# member NAME: a text or number out of one line of JSON.
member() {
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# One card; that its number is taken already is fine.
issue() {
    number=$1
    shift
    if ! answer=$(counterpart card issue --tenant "$tenant" --number "$number" "$@" --json 2>&1); then
        case $answer in
        *already_exists*) ;;
        *) printf 'seed: card %s: %s\n' "$number" "$answer" >&2 && return 1 ;;
        esac
    fi
}

seed_cards() {
    issue "$card" --amount 100.00
    issue "$card_2" --amount 25.00
    issue "$card_empty" --amount 0.00
    issue "$card_expired" --amount 40.00 --expires 2024-12-31
    issue "$card_disabled" --amount 40.00
    issue "$card_pin" --amount 60.00 --pin "$pin"
    issue "$card_stock" --stock
    counterpart card disable --tenant "$tenant" --number "$card_disabled" --json >/dev/null
}

seed_site() {
    counterpart site list --tenant "$tenant" --json | grep -q "\"oseries_site\":$site," ||
        counterpart site add --tenant "$tenant" --name "Demo Coffee, George Street" \
            --oseries-site $site --json >/dev/null
}

write_env_file() {
    umask 077
    cat >"$env_file.new" <<EOF
# The demo tenant, for: . $env_file
export COUNTERPART_DATA='$(cd "$data" && pwd)'
DEMO_URL='$url'
DEMO_TOKEN='$token'
DEMO_COMPANY='$company'
DEMO_SITE='$site'
DEMO_REGISTER='$register'
DEMO_CARD='$card'
DEMO_CARD_2='$card_2'
DEMO_CARD_EMPTY='$card_empty'
DEMO_CARD_EXPIRED='$card_expired'
DEMO_CARD_DISABLED='$card_disabled'
DEMO_CARD_PIN='$card_pin*$pin'
DEMO_CARD_STOCK='$card_stock'
DEMO_CARD_UNKNOWN='$unknown'
EOF
    mv "$env_file.new" "$env_file"
}

print_examples() {
    cat <<EOF
Demo Coffee is open: company $company, site $site, signature token $token
  cards   $card  100.00        $card_2  25.00         $card_empty  empty
          $card_expired  expired       $card_disabled  disabled      $card_stock  unsold stock
          $card_pin  60.00, PIN $pin (type $card_pin*$pin)

Paste this first:
  . "$env_file"

The register simulator: balance, a checkout, and the same checkout again (answered once)
  $bin/tillsim check-balance --url "\$DEMO_URL" --token "\$DEMO_TOKEN" --card "\$DEMO_CARD"
  $bin/tillsim checkout --url "\$DEMO_URL" --token "\$DEMO_TOKEN" --card "\$DEMO_CARD" --amount 25.50 --order 2802065908
  $bin/tillsim checkout --url "\$DEMO_URL" --token "\$DEMO_TOKEN" --card "\$DEMO_CARD" --amount 25.50 --order 2802065908

The same with curl, signed by openssl
  post() { curl -sS "\$DEMO_URL/\$1" -H 'Content-Type: application/json' -H "X-Kounta-Signature: \$(printf %s "\$2" | openssl dgst -sha256 -hmac "\$DEMO_TOKEN" -r | cut -d' ' -f1)" --data-binary "\$2"; echo; }
  post check-balance '{"company_id":$company,"site_id":$site,"register_id":$register,"keyword":"$card"}'
  post checkout '{"company_id":$company,"site_id":$site,"register_id":$register,"order_id":2802065909,"keyword":"$card","amount":10.00}'
  post checkout '{"company_id":$company,"site_id":$site,"register_id":$register,"order_id":2802065909,"keyword":"$card","amount":10.00}'
EOF
}

found=$(find_tenant)
if [ -z "$found" ]; then
    found=$(counterpart tenant add --name "Demo Coffee" --currency AUD \
        --timezone Australia/Sydney --oseries-company $company --signature-token "$token" --json)
fi
tenant=$(printf '%s\n' "$found" | member id)
url=$(printf '%s\n' "$found" | member checkout)
url=${url%/checkout}
# The file is written last: where it names this address, all the rest is there.
if ! grep -qsF "DEMO_URL='$url'" "$env_file"; then
    seed_site
    seed_cards
    write_env_file
fi
print_examples
