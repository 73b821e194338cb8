#!/bin/sh
# abi.h and each extension compile alone, in every language that a plugin may be written in.
# usage: headers.sh <include directory> <cc> <c++>
set -eu
include=$1 cc=$2 cxx=$3
for header in "$include"/promotiond/abi.h "$include"/promotiond/ext/*.h; do
    name=promotiond/${header#"$include"/promotiond/}
    for standard in c11 c17; do
        printf '#include <%s>\n#include <%s>\nextern int nothing;\n' "$name" "$name" |
            "$cc" -std=$standard -x c -Wall -Wextra -pedantic-errors -Werror -I"$include" -fsyntax-only -
    done
    for standard in c++17 c++20 c++23; do
        printf '#include <%s>\n#include <%s>\n' "$name" "$name" |
            "$cxx" -std=$standard -x c++ -Wall -Wextra -pedantic-errors -Werror -I"$include" -fsyntax-only -
    done
done
for name in strategy testing result secret; do
    for standard in c++20 c++23; do
        printf '#include <promotiond/%s.hpp>\n' "$name" |
            "$cxx" -std=$standard -x c++ -Wall -Wextra -pedantic-errors -Werror -I"$include" -fsyntax-only -
    done
done
echo "all headers stand alone"
