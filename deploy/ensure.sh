# What the ensure-*.sh beside it share; each sources it. Installs nothing by itself.
# shellcheck shell=sh

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "not root, and no sudo: run as root: $*"
    fi
}

apt() {
    # noninteractive: no question may hold up a run that nobody watches.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" >&2
}
