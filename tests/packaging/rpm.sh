#!/usr/bin/env bash
# The rpms on a machine with systemd. It is a Debian machine, where rpm stands beside dpkg and knows no dependencies: what is
# tried here is the spec - files, user, service, triggers - and not a distribution. The promises are in rpm_inside.sh.
#
#   rpm.sh SOURCE RPMS     RPMS is the directory that scripts/package rpm filled
set -euo pipefail
source=$1 rpms=$2
. "$source/tests/packaging/skip.sh"
. "$source/tests/packaging/machine.sh"
needs mmdebstrap systemd-nspawn nsenter rpmbuild rpm2cpio cpio
needs_namespaces
ls "$rpms"/promotiond-[0-9]*.rpm >/dev/null 2>&1 || { echo "no packages in $rpms; run scripts/package rpm"; exit 1; }

machines=$source/build/packages/machines
scratch=$(mktemp -d "${TMPDIR:-/tmp}/promotiond-rpm-XXXXXX")
machine= leader=
trap 'machine_stop; rm -rf "$scratch"' EXIT

# The libraries that the programs name, by the packages that bring them here.
programs=$(mktemp -d -p "$scratch")
for each in "$rpms"/promoti*.rpm; do
    case $each in *.src.rpm | *-devel-*) continue ;; esac
    (cd "$programs" && rpm2cpio "$each" | cpio -idm --quiet)
done
libraries=$(find "$programs/usr" -type f \( -perm -100 -o -name '*.so' \) -exec ldd {} + 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u)
depends=$(for each in $libraries; do dpkg-query -S "$(readlink -f "$each")" 2>/dev/null || dpkg-query -S "$each" 2>/dev/null || true; done |
    sed 's/:.*//' | sort -u)
# shellcheck disable=SC2086  # a list of names
machine_make "$scratch/machine" systemd systemd-sysv dbus procps curl openssl socat rpm passwd $depends

root=$scratch/machine
mkdir "$root/rpms" "$root/next"
cp "$rpms"/*.rpm "$root/rpms"
rm -f "$root"/rpms/*.src.rpm

# The same programs as the next release, by the same spec, which finds them built: what an upgrade does is the matter.
(cd "$programs" && rpm2cpio "$rpms"/promotiond-devel-*.rpm | cpio -idm --quiet)
rm -rf "$programs/usr/share/doc" "$programs/usr/share/licenses" # the spec brings them itself
mkdir -p "$scratch/next/SOURCES"
(cd "$scratch/next/SOURCES" && rpm2cpio "$rpms"/promotiond-[0-9]*.src.rpm | cpio -idm --quiet)
printf '%%cmake :\n%%cmake_build :\n%%cmake_install cp -a %s/. %%{buildroot}\n' "$programs" >"$scratch/built.macros"
rpmbuild -bb --nodeps --load "$source/packaging/rpm/debian-host.macros" --load "$scratch/built.macros" --define "_topdir $scratch/next" \
    --define "dist .next" "$scratch/next/SOURCES/promotiond.spec" >"$scratch/rpmbuild.log" 2>&1 ||
    { tail -20 "$scratch/rpmbuild.log"; echo "rpmbuild of the next release failed"; exit 1; }
cp "$scratch"/next/RPMS/*/*.rpm "$root/next"
cp "$source/tests/packaging/rpm_inside.sh" "$source/tests/packaging/inside.sh" "$root/root/"
machine_start "$root"
machine_run bash /root/rpm_inside.sh
