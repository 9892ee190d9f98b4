# shellcheck shell=bash
# What a test needs from the system: Debian packages, Rust.

# packages_needed PACKAGE...: installs those that are missing as root, else says which they are and returns 1
packages_needed() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        echo "This machine has no dpkg: install what these Debian packages hold: $*" >&2
        return 1
    fi
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    if [ "$(id -u)" != 0 ]; then
        echo "Missing Debian packages; as root: apt-get install ${missing[*]}" >&2
        return 1
    fi
    echo "Installing Debian packages: ${missing[*]}"
    local command=(apt-get -qq install -y --no-install-recommends "${missing[@]}") code=0
    export DEBIAN_FRONTEND=noninteractive
    # some packages bring services (a storage daemon, inetd), which the tests don't need: none is started
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=yes
    fi
    # the package lists may be missing or old on a fresh machine
    "${command[@]}" >/dev/null 2>&1 || { apt-get -qq update && "${command[@]}" >/dev/null; } || code=1
    [ -z "$ours" ] || rm -f "$policy"
    [ $code = 0 ] || echo "apt-get could not install ${missing[*]}" >&2
    return $code
}

# rust_needed ROOT: a cargo that is new enough
rust_needed() {
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$1/Cargo.toml")
    [ -x "$HOME/.cargo/bin/cargo" ] && PATH=$PATH:$HOME/.cargo/bin
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: install $wanted or later, see https://rustup.rs" >&2
        return 1
    fi
    have=$(cargo --version | cut -d' ' -f2)
    if [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -1)" != "$wanted" ]; then
        echo "Rust $have is too old: $wanted or later is needed, 'rustup update' brings it" >&2
        return 1
    fi
}
