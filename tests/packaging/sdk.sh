#!/usr/bin/env bash
# sdk: a strategy builds against the installed SDK. Installs the component dev below a temporary prefix and builds there,
# as a foreign project would: the template with its test, a strategy that uses the git kit, and one without CMake.
set -euo pipefail
build=$1 kit_user=$2
. "$(dirname "$0")/skip.sh"
needs pkg-config
for file in bin/promotiond-verify tests/contract/promotiond-verify; do [ -x "$build/$file" ] && verify=$build/$file; done
[ -n "${verify:-}" ] && [ -f "$build/sdk/gitops/libpromotiond_gitops.a" ] || skip "the SDK is not built"

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
prefix=$place/prefix
cmake --install "$build" --component dev --prefix "$prefix" >"$place/log"
export CMAKE_PREFIX_PATH=$prefix
run() { "$@" >"$place/log" 2>&1 || { cat "$place/log"; echo "failed: $*"; exit 1; }; }

cp -r "$prefix/share/promotiond/sdk/template" "$place/template"
run cmake -S "$place/template" -B "$place/template/build"
run cmake --build "$place/template/build"
run ctest --test-dir "$place/template/build" --output-on-failure --no-tests=error
plugin=$place/template/build/strategies/deploy-service.so
run "$prefix/bin/promotiond-verify" --secret deploy-service/token=t0ken-of-test "$plugin"
cd "$(dirname "$plugin")" && run "$prefix/bin/promotiond-verify" --secret deploy-service/token=t0ken-of-test "$(basename "$plugin")"; cd "$OLDPWD"
said=$(TMPDIR=$place/none "$prefix/bin/promotiond-verify" "$plugin" 2>&1 >/dev/null) && { echo "verified nowhere"; exit 1; }
[[ $said = *"TMPDIR names no directory"* ]] || { echo "promotiond-verify does not name what it lacks: $said"; exit 1; }
run cmake --install "$place/template/build" --prefix "$place/installed"
[ -f "$place"/installed/lib*/promotiond/strategies/deploy-service.so ] ||
    [ -f "$place"/installed/lib/*/promotiond/strategies/deploy-service.so ] || { echo "the strategy is not installed"; exit 1; }

run cmake -S "$kit_user" -B "$place/kit"
run cmake --build "$place/kit"
[ "$(nm -D --defined-only "$place/kit/strategies/kit-user.so" | wc -l)" = 1 ] || { echo "the kit leaks symbols"; exit 1; }

pc=$(find "$prefix" -name promotiond.pc)
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs promotiond)
run c++ -std=c++20 -shared -fPIC -o "$place/plain.so" "$place/template/strategy.cpp" $flags
run "$prefix/bin/promotiond-verify" --secret deploy-service/token=t0ken-of-test "$place/plain.so"

# The pieces of the guide, put together as it says.
guide=$(dirname "$0")/../../sdk/README.md
sed -n '/^```cpp$/,/^```$/{/^```/d;p}' "$guide" >"$place/guide.cpp"
[ "$(grep -c PROMOTIOND_STRATEGY "$place/guide.cpp")" = 1 ] || { echo "$guide: its pieces are not one strategy"; exit 1; }
run c++ -std=c++20 -Wall -Wextra -Werror -shared -fPIC -o "$place/guide.so" "$place/guide.cpp" $flags
run "$prefix/bin/promotiond-verify" --secret tickets/token=t0ken-of-test "$place/guide.so"

if grep -rlF "$build" "$prefix" --include='*.cmake' --include='*.pc'; then echo "names the build directory"; exit 1; fi
