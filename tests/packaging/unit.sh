#!/usr/bin/env bash
# The units: systemd understands every line of them, and what the service leaves open stays little.
set -euo pipefail
. "$1/tests/packaging/skip.sh"
unit=$1/packaging/systemd/promotiond.service
socket=$1/packaging/systemd/promotiond.socket
needs systemd-analyze systemd-tmpfiles
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# verify wants the program to exist, and tells of unknown keys and bad values with exit code 0: only silence is good.
sed 's,/usr/sbin/promotiond,/bin/true,' "$unit" >"$scratch/promotiond.service"
cp "$socket" "$scratch"
said=$(systemd-analyze verify --man=no "$scratch/promotiond.service" "$scratch/promotiond.socket" 2>&1 || echo "exit code $?")
[ -z "$said" ] || { echo "systemd-analyze verify: $said"; exit 1; }

# Exposure of at most 1.5 of 10; it is 1.1 with systemd 252.
systemd-analyze security --offline=yes --threshold=15 --no-pager "$scratch/promotiond.service" >"$scratch/security" 2>&1 ||
    { cat "$scratch/security"; exit 1; }
tail -1 "$scratch/security"

# The socket stands for the address that the configuration has by itself.
address=$(sed -n 's/^  listen: //p' "$1/config/promotiond.yaml")
grep -qx "ListenStream=$address" "$socket" || { echo "$socket: does not listen on $address"; exit 1; }

# Whoever switches a restriction off says why, in the unit.
for each in AF_UNIX PrivateNetwork IPAddressDeny RootDirectory; do
    grep -q "^# $each" "$unit" || { echo "$unit: no reason is given for $each"; exit 1; }
done

# Directories that are missing are made, and what an administrator chose for those that are there stays at each boot.
sed "s/:root :root/:$(id -u) :$(id -g)/" "$1/packaging/systemd/promotiond.tmpfiles" >"$scratch/promotiond.conf"
modes() { stat -c %n:%a "$scratch"/root/etc/promotiond/* | sed 's,.*/,,' | tr '\n' ' '; }
mkdir "$scratch/root"
systemd-tmpfiles --root="$scratch/root" --create "$scratch/promotiond.conf"
[ "$(modes)" = "pipelines:755 secrets:700 " ] || { echo "made as $(modes)"; exit 1; }
chmod 2770 "$scratch/root/etc/promotiond/pipelines"
chmod 0750 "$scratch/root/etc/promotiond/secrets"
systemd-tmpfiles --root="$scratch/root" --create "$scratch/promotiond.conf"
[ "$(modes)" = "pipelines:2770 secrets:750 " ] || { echo "an administrator's modes became $(modes)"; exit 1; }
