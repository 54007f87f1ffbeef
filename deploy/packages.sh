# shellcheck shell=bash
# The Debian 12 packages that building, the lab and the tests need, and a
# function that installs what is missing.  Sourced by deploy/quickstart,
# deploy/build and tests/run; nothing else names a package.
# shellcheck disable=SC2034 # used by those who source this

BUILD_PACKAGES=(
    gcc libc6-dev meson ninja-build pkg-config binutils
    libuv1-dev libmsgpack-dev libsodium-dev liblmdb-dev libjansson-dev
    libnl-3-dev libnl-genl-3-dev libnl-route-3-dev libfyaml-dev
    libc-ares-dev libhttp-parser-dev libknot-dev uthash-dev
)

LAB_PACKAGES=(
    openvswitch-switch openvswitch-common wireguard-tools wireguard-go
    iproute2 nftables ethtool util-linux procps
    redis-server redis-tools iputils-ping
)

TEST_PACKAGES=(
    libcmocka-dev clang clang-format llvm libclang-rt-14-dev
    python3 python3-pytest python3-msgpack python3-nacl
    dnsutils curl shellcheck mandoc strace tcpdump git
)

BENCH_PACKAGES=(serf python3)

# Installs those of the named packages that are not installed.  Daemons of
# freshly installed packages are not started: they would bind ports that
# nobody asked for.
install_packages() {
    local missing=() package policy=/usr/sbin/policy-rc.d own_policy='' status=0
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
            grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "these Debian packages are missing: ${missing[*]}" >&2
        echo "install them, or run this as root" >&2
        return 1
    fi
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        own_policy=yes
    fi
    {
        apt-get update -q &&
            DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
                --no-install-recommends "${missing[@]}"
    } >"${TMPDIR:-/tmp}/socketnet-packages.log" 2>&1 || status=1
    [ -z "$own_policy" ] || rm -f "$policy"
    if [ "$status" != 0 ]; then
        tail -n 20 "${TMPDIR:-/tmp}/socketnet-packages.log" >&2
        echo "installing failed: ${missing[*]}" >&2
    fi
    return "$status"
}
