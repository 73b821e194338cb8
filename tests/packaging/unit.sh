#!/usr/bin/env bash
# The service unit: systemd understands every line of it, and what it leaves open stays little.
set -euo pipefail
. "$1/tests/packaging/skip.sh"
unit=$1/packaging/systemd/promotiond.service
needs systemd-analyze
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# verify wants the program to exist, and tells of unknown keys and bad values with exit code 0: only silence is good.
sed 's,/usr/sbin/promotiond,/bin/true,' "$unit" >"$scratch/promotiond.service"
said=$(systemd-analyze verify --man=no "$scratch/promotiond.service" 2>&1 || echo "exit code $?")
[ -z "$said" ] || { echo "systemd-analyze verify: $said"; exit 1; }

# Exposure of at most 1.5 of 10; it is 1.1 with systemd 252.
systemd-analyze security --offline=yes --threshold=15 --no-pager "$scratch/promotiond.service" >"$scratch/security" 2>&1 ||
    { cat "$scratch/security"; exit 1; }
tail -1 "$scratch/security"

# Whoever switches a restriction off says why, in the unit.
for each in AF_UNIX PrivateNetwork IPAddressDeny RootDirectory; do
    grep -q "^# $each" "$unit" || { echo "$unit: no reason is given for $each"; exit 1; }
done
