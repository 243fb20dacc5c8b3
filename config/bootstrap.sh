#!/bin/sh
# Makes a checkout ready to run. Usage: config/bootstrap.sh runtime|dev|browser
#
#   runtime  .venv with requirements.txt
#   dev      .venv with requirements-dev.txt as well
#   browser  chromium and its driver, for the tests of the console's pages
#
# PYTHON names the interpreter to build .venv with (python3 by default, or a newer one beside it).
# What is installed already is not touched, so a second run costs nothing.
set -eu
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=.venv

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# ensurepip is what Debian splits off: without it `venv` imports, and fails half-way.
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Sets `chosen`; ends with the one line that helps most when no interpreter will do.
choose_python() {
    candidates=$PYTHON
    [ "$PYTHON" != python3 ] || candidates="python3 python3.14 python3.13 python3.12 python3.11"
    without_venv=
    for chosen in $candidates; do
        new_enough "$chosen" || continue
        has_venv "$chosen" && return
        without_venv=${without_venv:-$chosen}
    done
    [ -z "$without_venv" ] ||
        fail "$without_venv lacks the venv module; install it (on Debian and Ubuntu: apt install python3-venv)."
    found=$("$PYTHON" --version 2>&1) || found="not there"
    fail "Orderwatch needs Python 3.11 or newer; $PYTHON is $found. Name another one: make PYTHON=/path/to/python3.12"
}

ensure_venv() {
    if new_enough "$VENV/bin/python" && "$VENV/bin/python" -c 'import pip' >/dev/null 2>&1; then
        return
    fi
    choose_python
    "$chosen" -m venv --clear "$VENV"
}

# The stamp holds what was installed, so a change in either direction is seen, whatever the files' times say.
ensure_installed() { # <requirements file> <all files that it reads>...
    wanted=$1
    stamp=$VENV/installed-$wanted
    ensure_venv
    cat "$@" | cmp -s - "$stamp" && return
    say "Installing $wanted into $VENV ..."
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
    cat "$@" >"$stamp"
}

has_browser() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }

install_browser() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30 update &&
        apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends chromium chromium-driver
}

ensure_browser() {
    has_browser && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing chromium for the browser tests ..."
        output=$(install_browser 2>&1) && has_browser && return
        say "$output"
    fi
    [ "${CI:-}" != true ] || fail "No chromium and chromedriver: the browser tests cannot run, and in CI they must."
    say "No chromium and chromedriver: browser tests will be skipped (to have them: apt install chromium chromium-driver)."
}

case "${1:-}" in
runtime) ensure_installed requirements.txt ;;
dev) ensure_installed requirements-dev.txt requirements.txt ;;
browser) ensure_browser ;;
*) fail "usage: config/bootstrap.sh runtime|dev|browser" ;;
esac
