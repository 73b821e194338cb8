#!/usr/bin/env bash
# Compares every #include "module/..." in daemon/ with the table of floors in README.md's words: who may know whom.
set -euo pipefail
cd "$1"

declare -A may=(
    [base]="base"
    [net]="net base"
    [model]="model base"
    [decision]="decision model base"
    [journal]="journal model base"
    [platform]="platform model net base"
    [strategy]="strategy model net base"
    [engine]="engine decision journal platform strategy model base"
    [http]="http engine decision platform strategy model base"
    [gitops]="gitops strategy platform model base"
    [app]="app http gitops engine decision journal platform strategy model net base"
    [ctl]="ctl model net base"
    [ctl/gitops]="ctl strategy net base"
)
# Only the contracts of these may be seen from above, never their implementations.
declare -A face=([engine:platform]="platform/platform.hpp" [http:platform]="platform/platform.hpp" [http:strategy]="strategy/strategy.hpp")
bad=0
complain() { echo "$1"; bad=1; }

for file in $(find daemon -name '*.hpp' -o -name '*.cpp'); do
    module=$(cut -d/ -f2 <<<"$file")
    # Promotion without a daemon stands on the kit and the host services, as a strategy does.
    [[ $file != daemon/ctl/gitops/* ]] || module=ctl/gitops
    [ -n "${may[$module]:-}" ] || { complain "$file: module $module has no line in the table of floors"; continue; }
    while read -r include; do
        other=${include%%/*}
        [ -d "daemon/$other" ] || continue
        [[ " ${may[$module]} " == *" $other "* ]] || complain "$file: $module must not know $other ($include)"
        want=${face[$module:$other]:-$include}
        [ "$include" = "$want" ] || complain "$file: of $other only $want may be included from $module ($include)"
    done < <(sed -nE 's/^#include "([^"]+)".*/\1/p' "$file")
    if grep -qE '#include [<"]promotiond/(abi\.h|ext/|strategy\.hpp|gitops/)' "$file" && [ "$module" != strategy ] && [ "$module" != ctl/gitops ] && [ "$module" != gitops ]; then
        complain "$file: only daemon/strategy, daemon/gitops and daemon/ctl/gitops may include the plugin contract"
    fi
done

# Third-party types stay in their rooms.
indoors() {
    local pattern=$1 allowed=$2 found
    found=$(grep -rlE "#include <$pattern" daemon sdk plugins | grep -vE "$allowed" || true)
    [ -z "$found" ] || complain "includes of <$pattern...> outside of $allowed: $found"
}
indoors 'Poco/' '^daemon/(http|net|app|ctl|strategy|model)/|^sdk/gitops/|^plugins/'
indoors 'yaml-cpp/' '^daemon/model/|^plugins/'
indoors 'yaml\.h' '^sdk/gitops/manifest|^plugins/'
indoors 'boost/dll' '^daemon/strategy/'
indoors 'boost/(beast|asio)' '^daemon/(http|net)/'
indoors 'git2' '^sdk/gitops/(mirror|git_)'
indoors 'sqlite3' '^daemon/journal/'
indoors 'spdlog/' '^daemon/base/log\.cpp'

if grep -rnE '#include "(\.\./)*(daemon|base|model|engine|journal|http|app)/' sdk plugins; then
    complain "sdk and plugins never include the daemon"
fi
exit $bad
