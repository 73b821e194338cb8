#!/bin/sh
# A plugin exports exactly one symbol: usage symbols.sh <plugin.so>
set -eu
command -v nm >/dev/null || { echo "nm is missing: install binutils" >&2; exit 1; }
found=$(nm -D --defined-only "$1" | awk '{print $NF}')
[ "$found" = promotiond_plugin_v1 ] || { echo "$1 exports more or less than promotiond_plugin_v1:" "$found" >&2; exit 1; }
