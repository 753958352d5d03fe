#!/bin/sh
# Makes sure of what the browser tests need: Chromium and its driver. Installs Debian's packages where they are missing. The tests run it
# headless, with a profile of their own that is thrown away.
#
#   MUSTER_WITHOUT_BROWSER=1  leave the browser tests out: they say so, and pass
set -eu

. "$(dirname "$0")/ensure.sh"

missing() {
    command -v chromedriver >/dev/null 2>&1 || return 0
    for name in chromium chromium-browser google-chrome-stable google-chrome; do
        if command -v "$name" >/dev/null 2>&1; then return 1; fi
    done
    # macOS keeps it elsewhere, where its driver finds it.
    [ ! -d "/Applications/Google Chrome.app" ]
}

[ "${MUSTER_WITHOUT_BROWSER:-}" != 1 ] || exit 0
missing || exit 0

without="or set MUSTER_WITHOUT_BROWSER=1 to leave the browser tests out"
[ "$(uname -s)" != Darwin ] || fail "no Chrome with chromedriver: brew install --cask google-chrome chromedriver, $without"
command -v apt-get >/dev/null 2>&1 ||
    fail "no chromium with chromedriver, and no apt-get: install your system's packages, $without"

say "installing Debian's chromium and chromium-driver, for the browser tests"
apt update
apt install --no-install-recommends chromium chromium-driver
! missing || fail "still no chromium and chromedriver on PATH"
