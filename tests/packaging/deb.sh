#!/usr/bin/env bash
# The Debian packages on a real machine, with systemd as the first process: installed, used, upgraded, removed. The promises
# are in deb_inside.sh.
#
#   deb.sh SOURCE DEBS     DEBS is the directory that scripts/package deb filled
set -euo pipefail
source=$1 debs=$2
. "$source/tests/packaging/skip.sh"
. "$source/tests/packaging/machine.sh"
needs mmdebstrap systemd-nspawn nsenter dpkg-deb
needs_namespaces
ls "$debs"/promotiond_*.deb >/dev/null 2>&1 || { echo "no packages in $debs; run scripts/package deb"; exit 1; }

machines=$source/build/packages/machines
scratch=$(mktemp -d "${TMPDIR:-/tmp}/promotiond-deb-XXXXXX")
machine= leader=
trap 'machine_stop; rm -rf "$scratch"' EXIT

# What the packages depend on is on the machine already: there is no network inside.
depends=$(for each in "$debs"/*.deb; do dpkg-deb -f "$each" Depends Pre-Depends; done |
    sed 's/^[A-Z][-A-Za-z]*: *//; s/([^)]*)//g; s/|[^,]*//g' | tr ',' '\n' | tr -d ' ' | grep -vE '^$|^promotion' | sort -u)
# shellcheck disable=SC2086  # a list of names
machine_make "$scratch/machine" systemd systemd-sysv dbus procps curl openssl socat sqlite3 $depends

root=$scratch/machine
mkdir "$root/debs" "$root/next"
cp "$debs"/*.deb "$root/debs"
rm -f "$root"/debs/*-dbgsym_*.deb
# The same packages as the next version: what an upgrade does is the matter, not what is new.
for each in "$root"/debs/*.deb; do
    dpkg-deb -R "$each" "$scratch/next"
    sed -i 's/^Version: .*/&+next/' "$scratch/next/DEBIAN/control"
    dpkg-deb --root-owner-group -Zgzip -b "$scratch/next" "$root/next" >/dev/null
    rm -rf "$scratch/next"
done
cp "$source/tests/packaging/deb_inside.sh" "$source/tests/packaging/inside.sh" "$source/packaging/deb/tests/smoke" "$source/docs/operations.md" "$root/root/"

machine_start "$root"
machine_run bash /root/deb_inside.sh
