#!/usr/bin/env bash
# The packaged configuration is one that the daemon accepts, and names the places that unit and packages make.
set -euo pipefail
source=$1 build=$2
config=$build/packaging/promotiond.yaml
for each in '^    pipelines: ./pipelines$' '^    secrets: /run/credentials/promotiond.service$' \
    '^  path: /var/lib/promotiond/journal.db$' '^  directory: /var/cache/promotiond$' '^  directory: /.*/promotiond/strategies$'; do
    [ "$(grep -c "$each" "$config")" = 1 ] || { echo "$config: not exactly one line \"$each\""; exit 1; }
done

# One version, wherever it is written.
version=$("$build/bin/promotiond" --version | sed 's/^promotiond //')
grep -q "^promotiond ($version) " "$source/packaging/deb/changelog" && grep -q "^Version: *$version$" "$source/packaging/rpm/promotiond.spec" &&
    grep -q "^## $version " "$source/CHANGELOG.md" || { echo "deb/changelog, promotiond.spec or CHANGELOG.md is not about $version"; exit 1; }

# As on a system where nothing was configured yet: in place of the directories that packages make, ones that are here.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 022
mkdir "$scratch/pipelines" "$scratch/strategies"
sed "s,/var/lib/promotiond,$scratch/state,; s,/var/cache/promotiond,$scratch/cache,; s,/run/credentials/promotiond.service,$scratch,
    s,directory: /.*/promotiond/strategies,directory: $scratch/strategies," "$config" >"$scratch/promotiond.yaml"
"$build/bin/promotiond" --config "$scratch/promotiond.yaml" --list-strategies
