#!/bin/bash
# The band method: a probe built from today's header at target 1.N must be, to abidiff, what the
# committed baseline of 1.N is. Exit code 0, no suppressions. Then the same on headers that were
# changed on purpose, to know that the method still sees what it is for.
# usage: bands.sh <include directory> <c++> [--write]   (--write makes the baseline of a new band)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
include=$1 cxx=$2
for tool in abidiff abidw; do
    command -v $tool >/dev/null || { echo "$tool is missing: install abigail-tools" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # <include directory> <target minor> <output>
    "$cxx" -std=c++20 -g -O0 -fPIC -shared -ffile-prefix-map="$here"=. -DPROMOTIOND_TARGET_MINOR="$2" -I"$1" "$here/probe.cpp" -o "$3" 2>"$work/errors"
}

if [ "${3:-}" = --write ]; then
    minor=$(sed -n 's/^#define PROMOTIOND_ABI_MINOR \([0-9]*\)u.*/\1/p' "$include/promotiond/abi.h")
    build "$include" "$minor" "$work/probe.so"
    abidw --no-comp-dir-path --no-corpus-path --no-show-locs "$work/probe.so" --out-file "$here/baseline-1.$minor.abi"
    exit
fi

failed=0
minor=$(sed -n 's/^#define PROMOTIOND_ABI_MINOR \([0-9]*\)u.*/\1/p' "$include/promotiond/abi.h")
for n in $(seq 0 "$minor"); do
    baseline=$here/baseline-1.$n.abi
    [ -s "$baseline" ] || { echo "$baseline is missing: make it with bands.sh --write" >&2; exit 1; }
    build "$include" "$n" "$work/probe.so" || { cat "$work/errors"; echo "the probe of band 1.$n does not compile"; exit 1; }
    if ! abidiff "$baseline" "$work/probe.so"; then
        echo "band 1.$n has changed; a released band may never change, add a new one or an extension"
        failed=1
    fi
done

mutate() { # <name> <expected: same|caught> <file> <sed expression>
    rm -rf "$work/changed"
    cp -r "$include" "$work/changed"
    sed -i "$4" "$work/changed/promotiond/$3"
    if cmp -s "$include/promotiond/$3" "$work/changed/promotiond/$3"; then
        echo "self-test $1: the change did not apply; mend its expression"
        failed=1
        return
    fi
    local saw=same
    if ! build "$work/changed" 0 "$work/changed.so"; then saw=caught
    elif ! abidiff "$here/baseline-1.0.abi" "$work/changed.so" >/dev/null; then saw=caught; fi
    [ $saw = "$2" ] && return
    echo "self-test $1: expected $2, the method says $saw"
    failed=1
}
mutate band_appended same abi.h 's|^\(    const void\* (\*get_service).*\)$|\1\n#if PROMOTIOND_TARGET_MINOR >= 1\n    void (*metric)(const promotiond_host* host);\n#endif|'
mutate slot_inserted caught abi.h 's|^\(    int64_t (\*now_ms).*\)$|    void (*metric)(const promotiond_host* host);\n\1|'
mutate slot_appended_outside_a_band caught abi.h 's|^\(    const void\* (\*get_service).*\)$|\1\n    void (*metric)(const promotiond_host* host);|'
mutate signature_changed caught abi.h 's|void (\*progress)(const promotiond_call\* call, promotiond_view text)|void (*progress)(const promotiond_call* call, promotiond_view text, uint32_t flags)|'
mutate field_type_changed caught abi.h 's|    uint32_t attempt;|    float attempt;|'
mutate slot_removed caught abi.h 's|^    int64_t (\*now_ms).*$||'
mutate slot_renamed caught abi.h 's|now_ms|time_ms|'
mutate outcome_widened caught abi.h 's|typedef int32_t promotiond_outcome|typedef int64_t promotiond_outcome|'
mutate extension_changed caught ext/http.h 's|    int64_t timeout_ms; |    int32_t timeout_ms; |'
exit $failed
