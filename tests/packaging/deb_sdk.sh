#!/usr/bin/env bash
# A third party's strategies in a clean Debian. In one that has a compiler, CMake and promotiond-dev alone: built, tested, held to
# the contract, and packaged. In one that also has what promotiond-dev recommends: built with the git kit. Runs what Debian's own
# machinery would (packaging/deb/tests/build-*), and then what an author would go on with.
#
#   deb_sdk.sh SOURCE DEBS     DEBS is the directory that scripts/package deb filled
set -euo pipefail
source=$1 debs=$2
. "$source/tests/packaging/skip.sh"
. "$source/tests/packaging/machine.sh"
needs mmdebstrap dpkg-deb chroot
needs_namespaces
ls "$debs"/promotiond-dev_*.deb >/dev/null 2>&1 || { echo "no packages in $debs; run scripts/package deb"; exit 1; }

machines=$source/build/packages/machines
scratch=$(mktemp -d "${TMPDIR:-/tmp}/promotiond-deb-sdk-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
named() { dpkg-deb -f "$debs"/promotiond-dev_*.deb "$1" | sed 's/([^)]*)//g; s/|[^,]*//g' | tr ',' '\n' | tr -d ' ' | sort -u; }
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 AUTOPKGTEST_TMP=/plugin-tree "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; echo "failed: $*"; exit 1; }; }
# debian PACKAGE...  a system of these and promotiond-dev becomes $root; its working directory is a source tree.
debian() {
    root=$(mktemp -u -p "$scratch")
    machine_make "$root" g++ cmake ninja-build "$@"
    mkdir -p "$root/plugin-tree" "$root/tests/packaging"
    cp -r "$source/tests/packaging/kit_user" "$root/tests/packaging"
    cp "$debs"/promotiond-dev_*.deb "$source"/packaging/deb/tests/build-* "$root/root"
    inside dpkg --install /root/"$(basename "$debs"/promotiond-dev_*.deb)"
}

echo "-- promotiond-dev installs with what it depends on"
# shellcheck disable=SC2046  # lists of names
debian pkg-config $(named Depends)
[ ! -e "$root/usr/include/git2.h" ] && [ ! -e "$root/usr/include/Poco" ] || { echo "the root is not clean"; exit 1; }

echo "-- the template builds, and keeps the contract"
inside sh /root/build-plugin

echo "-- its test passes, and it installs to where the daemon looks"
inside ctest --test-dir /plugin-tree/build --output-on-failure --no-tests=error
inside cmake --install /plugin-tree/build
plugin=$(cd "$root" && ls usr/lib/*/promotiond/strategies/deploy-service.so)

echo "-- it can be packaged: the virtual package says which ABI it needs"
mkdir -p "$root/plugin-tree/deb/DEBIAN" "$root/plugin-tree/deb/$(dirname "$plugin")"
cp "$root/$plugin" "$root/plugin-tree/deb/$plugin"
printf 'Package: promotiond-plugin-deploy-service\nVersion: 1.0.0\nArchitecture: %s\nMaintainer: A. Author <a@example.com>\nDepends: promotiond-abi-1\nDescription: test\n' \
    "$(dpkg --print-architecture)" >"$root/plugin-tree/deb/DEBIAN/control"
inside dpkg-deb --root-owner-group --build /plugin-tree/deb /plugin-tree
[ "$(dpkg-deb -f "$root"/plugin-tree/promotiond-plugin-deploy-service_*.deb Depends)" = promotiond-abi-1 ] || { echo "not packaged"; exit 1; }

echo "-- with what it recommends, a strategy that uses the git kit builds, and keeps the contract"
rm -rf "$root"
# shellcheck disable=SC2046
debian $(named Depends) $(named Recommends)
inside sh /root/build-git-plugin
echo "every promise is kept"
