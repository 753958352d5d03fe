#!/bin/sh
# Throws thousands of generated requests at the admin API, as its own description invites to, and fails on a 5xx, on an answer that the
# description does not know, and on one that does not fit it. Opt-in (`make fuzz-api`): takes schemathesis from PyPI into a folder of its own.
# Everything is simulated and private: Discord, FACEIT, PostgreSQL. Arguments are passed on to schemathesis.
#
#   PYTHON         an interpreter with venv (default python3)
#   FUZZ_VENV      where schemathesis is kept (default <target>/fuzz-venv)
# When it fails, the service's log is kept as <target>/fuzz-muster.log.
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
bin=$target/debug
venv=${FUZZ_VENV:-$target/fuzz-venv}

if [ -z "${DATABASE_URL:-}" ]; then
    [ -x "$venv/bin/schemathesis" ] || {
        "${PYTHON:-python3}" -m venv "$venv"
        "$venv/bin/pip" -q install 'schemathesis>=4.2,<5'
    }
    exec "$bin/with-postgres" --as DATABASE_URL -- tests/fuzz-api.sh "$@"
fi

dir=$(mktemp -d)
simulator= muster=
clean() {
    status=$?
    for pid in $muster $simulator; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
    done
    [ $status = 0 ] || cp "$dir/muster.log" "$target/fuzz-muster.log" 2>/dev/null || true
    rm -rf "$dir"
    exit $status
}
trap clean EXIT
trap 'exit 130' INT TERM

cat >"$dir/world.json" <<'WORLD'
{
    "guilds": [{
        "id": "1000", "name": "Kiosk", "bot_permissions": "53478928", "owner_id": "2001",
        "roles": [{"id": "1100", "name": "Referees"}],
        "categories": [{"id": "1010", "name": "Matches"}],
        "voice_channels": [{"id": "1011", "name": "Lobby"}, {"id": "1012", "name": "Bar"}],
        "text_channels": [{"id": "1013", "name": "chat"}],
        "members": [{"id": "2001", "name": "Nova"}]
    }],
    "faceit": {"hubs": [{"id": "hub-1", "name": "Kiosk Hub", "organizer_id": "organizer-1"}]},
    "limits": {"faceit_per_second": 100000, "global_per_second": 100000},
    "oauth": {"guild_list": {"limit": 100000, "per_ms": 1000}}
}
WORLD
"$bin/simulator" --world "$dir/world.json" >"$dir/simulator.json" 2>"$dir/simulator.log" &
simulator=$!

# The value of a field of the one line that the simulator prints.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$dir/simulator.json"; }
wait_for() {
    tries=0
    until grep -q "$1" "$2" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || {
            cat "$dir"/*.log >&2
            echo "fuzz-api: nothing in $2 after 30 s" >&2
            exit 1
        }
        sleep 0.1
    done
}
wait_for discord_api "$dir/simulator.json"

LISTEN_ADDR=127.0.0.1:0 FACEIT_API_KEY=key FACEIT_API_URL=$(field faceit_api) FACEIT_WEBHOOK_SECRET=a-secret-for-the-fuzzing \
    DISCORD_TOKEN=$(field bot_token) DISCORD_API_URL=$(field discord_api) DISCORD_GUILD_ID=1000 \
    DISCORD_CLIENT_ID=900000000000000001 DISCORD_CLIENT_SECRET=simulated-client-secret PUBLIC_URL=http://muster.test \
    DISCORD_AUTHORIZE_URL=$(field discord_authorize) JWT_SECRET=a-secret-of-fuzzing-0123456789abcdef \
    MUSTER_ENCRYPTION_KEYS=1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= OPERATOR_IDS=2001 \
    RATE_LIMIT_AUTH=1000000/1 RATE_LIMIT_USER=1000000/1 RATE_LIMIT_GUILD=1000000/1 \
    "$bin/muster" serve >"$dir/muster.out" 2>"$dir/muster.log" &
muster=$!
wait_for '^listening on ' "$dir/muster.out"
url=$(sed -n 's/^listening on //p' "$dir/muster.out")

# Signs in as a browser does, by hand, and goes on with the token.
header() { tr -d '\r' | sed -n "s/^$1: //Ip"; }
login=$(curl -s -D - -o /dev/null "$url/api/auth/login")
cookie=$(printf '%s\n' "$login" | header set-cookie | cut -d';' -f1)
page=$(printf '%s\n' "$login" | header location)
back=$(curl -s -D - -o /dev/null -d user=2001 "$page" | header location)
token=$(curl -s -D - -o /dev/null -H "cookie: $cookie" "$url${back#http://muster.test}" |
    header set-cookie | sed -n 's/^muster_session=\([^;]*\).*/\1/p')
[ -n "$token" ] || {
    echo "fuzz-api: signing in did not work" >&2
    cat "$dir/muster.log" >&2
    exit 1
}

# Something to find: a match that is being played, and the delivery that told of it.
match=1-80a7ad59-07d5-41eb-8d30-d07b885a6ab5
curl -sf -X PUT --data-binary @fixtures/faceit/match_hub_5v5_ready.json "$(field control)/control/faceit/matches/$match"
curl -sf -H 'X-Webhook-Secret: a-secret-for-the-fuzzing' -H 'content-type: application/json' "$url/faceit-webhook" \
    -d "{\"event\": \"match_status_ready\", \"event_id\": \"e1\", \"payload\": {\"id\": \"$match\", \"version\": 3}}"

# Logging out would end the session that everything else needs. The second sign-in route needs a code of Discord's.
cat >"$dir/schemathesis.toml" <<CONFIG
[parameters]
"path.guild" = "1000"
"path.competition" = "hub-1"
"path.match" = "$match"
"path.user" = "2001"
"path.key" = "match:$match"
"path.delivery" = 1
"header.if-match" = "*"

[[operations]]
include-path = "/api/auth/logout"
enabled = false
CONFIG

# It keeps what it finds in the folder that it runs in.
cd "$dir"
"$venv/bin/schemathesis" --config-file "$dir/schemathesis.toml" run "$url/api/openapi.json" \
    --header "Authorization: Bearer $token" --max-redirects 0 \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance \
    "$@"
if grep -E 'ERROR|panicked' "$dir/muster.log"; then
    echo "fuzz-api: the service had errors" >&2
    exit 1
fi
