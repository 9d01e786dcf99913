#!/bin/sh
# Puts the demo tenant into a running service and prints what to paste.
#
#   COUNTERPART_DATA=./var mocks/demo/seed.sh [FOLDER-OF-THE-BINARIES, default build/release]
#
# With DEMO_CLOUD=http://HOST:PORT, where `tillsim cloud` listens, the tenant is connected to it by
# OAuth, as a merchant's browser would, and gets sales to redeem rewards on.
#
# Safe to run again: what is there already is left alone. Everything goes through the command line,
# as it would for a real merchant; cards, members and rewards are ordinary rows.
set -eu

bin=${1:-build/release}
data=${COUNTERPART_DATA:-./var}
env_file=$data/demo.env
cloud=${DEMO_CLOUD:-}

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
# What the fake cloud knows our application by, and David Kent.
client_id=demo-client client_secret=demo-client-secret
member=M-1 customer=389427
# What a card can pay: sales that the cloud has opened; without one, numbers that no sale need have.
order_4=2802065900 order_5=2802065908 order_6=2802065909

counterpart() {
    "$bin/counterpart" "$@"
}

# What the service knows about the demo tenant, as one line of JSON; empty: it is not there.
find_tenant() {
    counterpart tenant list --json | tr -d '\n' | sed 's/{"id":/\n{"id":/g' |
        grep "\"oseries_company\":$company," || true
}

# field NAME: the first text or number of that name out of JSON.
field() {
    tr '{,' '\n\n' | sed -n "s/^\"$1\":\"\{0,1\}\([^\"}]*\).*/\1/p" | head -n 1
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

# add_member CODE FIRST LAST EMAIL PHONE POINTS [MORE]; that the code is taken already is fine.
add_member() {
    code=$1 first=$2 last=$3 email=$4 phone=$5 points=$6
    shift 6
    if ! answer=$(counterpart member add --tenant "$tenant" --code "$code" --first-name "$first" --last-name "$last" \
        --email "$email" --phone "$phone" --points "$points" "$@" --json 2>&1); then
        case $answer in
        *already_exists*) ;;
        *) printf 'seed: member %s: %s\n' "$code" "$answer" >&2 && return 1 ;;
        esac
    fi
}

seed_members() {
    add_member $member David Kent david.kent@example.com "0400 000 000" 420 --tier Gold --intro-text "A regular since 2021"
    add_member M-2 Davina Kentwell davina@example.com "0400 000 002" 80
    add_member M-3 Zoë "O'Brien-Smith" zoe@example.com "0400 000 003" 1250
    add_member M-4 Sam Okafor sam.okafor@example.com "0400 000 004" 0
}

# add_reward TITLE TERMS POINTS EFFECT
add_reward() {
    counterpart reward list --tenant "$tenant" --json | grep -qF "\"title\":\"$1\"" ||
        counterpart reward add --tenant "$tenant" --title "$1" --terms "$2" --points "$3" --effect "$4" --json >/dev/null
}

seed_rewards() {
    add_reward '$10 off' 'Off the whole order' 100 money_off:10.00
    add_reward '20 % off' 'Off the whole order' 150 percent_off:20
    add_reward 'Free latte' 'One a visit' 60 product:7302
}

# --- the connection to the cloud -----------------------------------------------------------------

# The hidden fields of the consent page's form, as "name=value" lines.
hidden_fields() {
    sed -n 's/.*<input type="hidden" name="\([^"]*\)" value="\([^"]*\)">.*/\1=\2/p' |
        sed 's/&quot;/"/g; s/&#39;/'"'"'/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
}

# As the merchant's browser does it: our start page leads to Lightspeed's consent page, whose form
# is filled in and sent; that leads back to our callback, which says whether it worked.
connect() {
    work=$(mktemp -d)
    start_url=$(counterpart oauth start --tenant "$tenant" --json | field start_url)
    consent_url=$(curl -sSkL --max-time 20 -o "$work/page" -w '%{url_effective}' "$start_url")
    hidden_fields <"$work/page" >"$work/fields"
    set -- --data-urlencode decision=grant --data-urlencode company_id=$company
    while IFS= read -r field; do set -- "$@" --data-urlencode "$field"; done <"$work/fields"
    status=$(curl -sSkL --max-time 20 -o "$work/answer" -w '%{http_code}' "$@" "${consent_url%%\?*}")
    if [ "$status" != 200 ]; then
        printf 'seed: connecting by %s ended with status %s:\n' "$consent_url" "$status" >&2
        cat "$work/page" "$work/answer" >&2
        rm -r "$work"
        return 1
    fi
    rm -r "$work"
}

# The application, here and there; its redirect URI is entered in the Back Office otherwise. A cloud
# that was started anew has no grants.
seed_connection() {
    redirect_uri=$(counterpart app set --surface oseries --client-id $client_id --client-secret $client_secret \
        --signature-token $token --json | field redirect_uri)
    curl -sS --max-time 20 -o /dev/null --fail -X PUT "$cloud/_cloud/applications/$client_id" \
        -H 'Content-Type: application/json' -d '{"redirect_uris":["'"$redirect_uri"'"]}'
    if curl -sS --max-time 20 "$cloud/_cloud/grants" | grep -q access_token; then
        counterpart oauth refresh --tenant "$tenant" --json >/dev/null 2>&1 && return
    else # ours is of another cloud, and would only raise an alarm here
        counterpart oauth revoke --tenant "$tenant" --json >/dev/null 2>&1 || true
    fi
    connect
    echo "seed: connected to $cloud by OAuth" >&2
}

# A sale of David Kent's that is open at the till, with these lines. Prints its id.
open_sale() {
    curl -sS --max-time 20 "$cloud/_cloud/orders" -H 'Content-Type: application/json' -d '{"site_id":'$site',"register_id":'$register',
        "customer_id":'$customer',"status":"PENDING","lines":['"$1"']}' |
        field id
}

# A cloud that was started anew begins with the same ids, but an order earns points only once here.
open_new_sale() {
    while opened=$(open_sale "$1") && [ "${opened:-0}" -gt 0 ] && [ "$opened" -le "$last_order" ]; do :; done
    last_order=$opened
}

seed_sales() {
    last_order=$(sed -n "s/^DEMO_ORDER_6='\([0-9]\{1,\}\)'$/\1/p" "$env_file" 2>/dev/null || true)
    last_order=${last_order:-0}
    snack='{"product_id":7302,"quantity":2},{"product_id":7305,"quantity":1}' breakfast='{"product_id":7308,"quantity":1}'
    open_new_sale "$snack" && order=$last_order
    open_new_sale "$snack" && order_2=$last_order
    open_new_sale "$snack" && order_3=$last_order
    open_new_sale "$breakfast" && order_4=$last_order
    open_new_sale "$breakfast" && order_5=$last_order
    open_new_sale "$breakfast" && order_6=$last_order
    [ "$order_6" -gt "$order_5" ] || { echo "seed: the cloud opened no sales" >&2 && return 1; }
}

# The lines that are printed cost 160 points each time.
seed_points() {
    points=$(counterpart points show --tenant "$tenant" --member $member --limit 1 --json | field spendable)
    [ "$points" -ge 160 ] || counterpart points grant --tenant "$tenant" --member $member --points 420 \
        --reason "more of the demo" --json >/dev/null
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
DEMO_MEMBER='$member'
DEMO_CUSTOMER='$customer'
DEMO_CLOUD='$cloud'
DEMO_ORDER='${order:-}'
DEMO_ORDER_2='${order_2:-}'
DEMO_ORDER_3='${order_3:-}'
DEMO_ORDER_4='$order_4'
DEMO_ORDER_5='$order_5'
DEMO_ORDER_6='$order_6'
EOF
    mv "$env_file.new" "$env_file"
}

# What is on a card now; in the second run it has been spent from.
balance_of() {
    amount=$(counterpart card show --tenant "$tenant" --number "$1" --json | field balance)
    case $amount in *[1-9]*) printf %s "$amount" ;; *) printf empty ;; esac
}

print_examples() {
    cat <<EOF
Demo Coffee is open: company $company, site $site, signature token $token
  cards   $(printf '%s  %-12s  %s  %-12s  %s  %s' "$card" "$(balance_of "$card")" "$card_2" "$(balance_of "$card_2")" \
        "$card_empty" "$(balance_of "$card_empty")")
          $card_expired  expired       $card_disabled  disabled      $card_stock  printed stock
          $card_pin  $(balance_of "$card_pin"), PIN $pin (type $card_pin*$pin)
  members M-1 David Kent, M-2 Davina Kentwell, M-3 Zoë O'Brien-Smith, M-4 Sam Okafor
  rewards 1 \$10 off for 100, 2 20 % off for 150, 3 Free latte for 60
EOF
    [ -z "$cloud" ] || cat <<EOF
It is connected to the Lightspeed at $cloud, where the sales $order, $order_2 and $order_3 are open
EOF
    cat <<EOF

Paste this first:
  . "$env_file"

The register simulator: balance, a checkout, and the same checkout again (answered once)
  $bin/tillsim check-balance --url "\$DEMO_URL" --token "\$DEMO_TOKEN" --card "\$DEMO_CARD"
  $bin/tillsim checkout --url "\$DEMO_URL" --token "\$DEMO_TOKEN" --card "\$DEMO_CARD" --amount 25.50 --order "\$DEMO_ORDER_5"
  $bin/tillsim checkout --url "\$DEMO_URL" --token "\$DEMO_TOKEN" --card "\$DEMO_CARD" --amount 25.50 --order "\$DEMO_ORDER_5"

Loyalty: who is David, and what may he have?
  $bin/tillsim customer-search --url "\$DEMO_URL" --keyword "david kent"
  $bin/tillsim reward-lookup --url "\$DEMO_URL" --reference "\$DEMO_MEMBER"
EOF
    [ -z "$cloud" ] || cat <<EOF

The first reward on his first sale, all the way; then a free latte on the second, step by step: see the order change
  $bin/tillsim loyalty --url "\$DEMO_URL" --keyword kent --reward 1 --order "\$DEMO_ORDER" --cloud "\$DEMO_CLOUD"
  redeem_url=\$($bin/tillsim reward-lookup --url "\$DEMO_URL" --reference "\$DEMO_MEMBER" --reward 3)
  $bin/tillsim redeem --url "\$redeem_url" --order "\$DEMO_ORDER_2" --cloud "\$DEMO_CLOUD"

The second sale is paid: Lightspeed tells us by webhook, the order is read again, and points are earned
  curl -sS -o /dev/null "\$DEMO_CLOUD/_cloud/orders/\$DEMO_ORDER_2/complete" -H 'Content-Type: application/json' -d '{}'; sleep 1
  $bin/counterpart points show --tenant $tenant --member "\$DEMO_MEMBER" --limit 4
EOF
    cat <<EOF

The same with curl, signed by openssl
  post() { curl -sS "\$DEMO_URL/\$1" -H 'Content-Type: application/json' -H "X-Kounta-Signature: \$(printf %s "\$2" | openssl dgst -sha256 -hmac "\$DEMO_TOKEN" -r | cut -d' ' -f1)" --data-binary "\$2"; echo; }
  post check-balance '{"company_id":$company,"site_id":$site,"register_id":$register,"keyword":"$card"}'
  post checkout '{"company_id":$company,"site_id":$site,"register_id":$register,"order_id":$order_6,"keyword":"$card","amount":10.00}'
  post checkout '{"company_id":$company,"site_id":$site,"register_id":$register,"order_id":$order_6,"keyword":"$card","amount":10.00}'
EOF
}

found=$(find_tenant)
if [ -z "$found" ]; then
    found=$(counterpart tenant add --name "Demo Coffee" --currency AUD \
        --timezone Australia/Sydney --oseries-company $company --signature-token "$token" --json)
fi
tenant=$(printf '%s\n' "$found" | field id)
url=$(printf '%s\n' "$found" | field checkout)
url=${url%/checkout}
# The file is written last: where it names this address, all the rest is there.
if ! grep -qsF "DEMO_URL='$url'" "$env_file" || ! grep -qs '^DEMO_MEMBER=' "$env_file"; then
    seed_site
    seed_cards
    seed_members
    seed_rewards
fi
if [ -n "$cloud" ]; then
    seed_connection
    seed_sales
    seed_points
fi
write_env_file
print_examples
