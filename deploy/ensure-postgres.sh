#!/bin/sh
# Makes sure of what building and testing Muster needs besides Rust, make and git: the PostgreSQL server's programs, and a
# C compiler (Rust links with it, and the TLS library builds C). Installs Debian's packages where they are missing.
# Starts, configures and touches no database server: demo, tests and benchmarks start private ones of their own.
#
#   MUSTER_POSTGRES_BIN  a directory with initdb, pg_ctl and postgres, to use instead of searching
#   MUSTER_POSTGRES_ROOT the folder to search for <version>/bin (default /usr/lib/postgresql)
set -eu

root=${MUSTER_POSTGRES_ROOT:-/usr/lib/postgresql}

. "$(dirname "$0")/ensure.sh"

has_server() { [ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] && [ -x "$1/postgres" ]; }

find_server() {
    if [ -n "${MUSTER_POSTGRES_BIN:-}" ]; then
        has_server "$MUSTER_POSTGRES_BIN"
        return
    fi
    old_ifs=$IFS
    IFS=:
    for dir in $PATH; do
        IFS=$old_ifs
        if has_server "$dir"; then return 0; fi
    done
    IFS=$old_ifs
    for dir in "$root"/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
        if has_server "$dir"; then return 0; fi
    done
    return 1
}

has_compiler() { command -v cc >/dev/null 2>&1; }

# Debian's package creates and starts a cluster on port 5432 as it is installed. We did not ask for one, so it is told not
# to, by one line in its settings, which is taken out again.
conf=/etc/postgresql-common/createcluster.conf
ours='create_main_cluster = false # by muster, while installing'

restore_conf() { as_root sed -i "/# by muster, while installing\$/d" "$conf"; }

install_server() {
    say "installing Debian's postgresql (its server stays off: only its programs are used)"
    apt install --no-install-recommends postgresql-common
    if [ -f "$conf" ]; then
        trap restore_conf EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        printf '%s\n' "$ours" | as_root tee -a "$conf" >/dev/null
    fi
    apt install --no-install-recommends postgresql
    if [ -f "$conf" ]; then
        restore_conf
        trap - EXIT INT TERM
    fi
}

missing=
find_server || missing="postgresql"
has_compiler || missing="$missing cc"
[ -n "$missing" ] || exit 0

if [ -n "${MUSTER_POSTGRES_BIN:-}" ] && ! find_server; then
    fail "MUSTER_POSTGRES_BIN=$MUSTER_POSTGRES_BIN has no initdb, pg_ctl and postgres"
fi

case $(uname -s) in
Darwin)
    find_server || say "no PostgreSQL: brew install postgresql@17"
    has_compiler || say "no C compiler: xcode-select --install"
    exit 1
    ;;
esac
command -v apt-get >/dev/null 2>&1 ||
    fail "missing: $missing; no apt-get here: install your system's packages of the PostgreSQL server and a C compiler"

apt update
has_compiler || {
    say "installing Debian's gcc and libc6-dev: Rust links with a C compiler"
    apt install --no-install-recommends gcc libc6-dev
}
find_server || install_server

has_compiler || fail "still no C compiler (cc) on PATH"
find_server || fail "still no PostgreSQL programs on PATH or under $root"
