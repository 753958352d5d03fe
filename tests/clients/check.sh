#!/usr/bin/env bash
# Runs the stock discord.js and discord.py bots of this folder against the simulator. Installs both libraries into a temporary
# folder, and so needs node, npm, python3 (with venv) and their registries. Usage: check.sh SIMULATOR [discord_js|discord_py]
set -euo pipefail
simulator=$(realpath "$1")
only=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
room=${CLIENTS_DIR:-$(mktemp -d)}
serving=
finish() {
    [ -z "$serving" ] || kill "$serving" 2>/dev/null || true
    [ -n "${CLIENTS_DIR:-}" ] || rm -rf "$room"
}
trap finish EXIT

# A fresh world for each client; prints nothing but what the simulator says of itself.
serve() {
    [ -z "$serving" ] || { kill "$serving"; wait "$serving" || true; }
    rm -f "$room/addresses"
    "$simulator" --world "$here/world.json" >"$room/addresses" &
    serving=$!
    for _ in $(seq 300); do
        [ -s "$room/addresses" ] && break
        sleep 0.1
    done
    read_address() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$room/addresses" "$1"; }
    SIMULATOR_API=$(read_address discord_api)
    SIMULATOR_GATEWAY=$(read_address discord_gateway)
    SIMULATOR_CONTROL=$(read_address control)
    SIMULATOR_TOKEN=$(read_address bot_token)
    export SIMULATOR_API SIMULATOR_GATEWAY SIMULATOR_CONTROL SIMULATOR_TOKEN
}

if [ -z "$only" ] || [ "$only" = discord_js ]; then
    echo "== discord.js"
    (cd "$room" && { [ -d node_modules/discord.js ] || npm install --no-audit --no-fund --silent discord.js@14; })
    cp "$here/discord_js.mjs" "$room"
    serve
    node "$room/discord_js.mjs"
fi
if [ -z "$only" ] || [ "$only" = discord_py ]; then
    echo "== discord.py"
    [ -d "$room/venv" ] || { python3 -m venv "$room/venv" && "$room/venv/bin/pip" install --quiet --disable-pip-version-check discord.py; }
    serve
    "$room/venv/bin/python" "$here/discord_py.py"
fi
echo 'both clients are content'
