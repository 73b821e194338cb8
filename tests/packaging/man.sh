#!/usr/bin/env bash
# Manual pages and completion: without a mistake in their markup, and speaking of the very options, commands and keys that
# the programs have.
set -euo pipefail
source=$1 build=$2
. "$source/tests/packaging/skip.sh"
needs mandoc man bash zsh
pages="$source/packaging/man"
fail() { echo "$*"; exit 1; }

for page in "$pages"/*.[1-8] "$build/packaging/promotiond.yaml.5"; do
    said=$(mandoc -T lint -W warning "$page" || true; LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || fail "$page: $said"
done

# words <text on stdin>: the long options in it, each once.
words() { sed 's/\\-/-/g' | grep -oE -- '--[a-z][a-z-]+' | sort -u; }
# same <what> <one> <other>
same() { diff <(echo "$2") <(echo "$3") || fail "$1 differ: < $4, > $5"; }

# Refused options stand in the page only to say so; --namespace= and the like are the same word.
refused='--daemon|--pidfile|--umask'
help=$("$build/bin/promotiond" --help | words)
page=$(words <"$pages/promotiond.8" | grep -vxE -- "$refused")
same "promotiond's options" "$help" "$page" --help promotiond.8
same "promotiond's options" "$help" "$(words <"$source/packaging/completion/promotiond.bash")" --help promotiond.bash
same "promotiond's options" "$help" "$(words <"$source/packaging/completion/promotiond.zsh")" --help promotiond.zsh

help=$("$build/bin/promotionctl" --help | words)
commands=$("$build/bin/promotionctl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' | sort -u)
[ -n "$commands" ] || fail "promotionctl --help: no commands found"
same "promotionctl's options" "$help" "$(words <"$pages/promotionctl.1")" --help promotionctl.1
same "promotionctl's options" "$help" "$(words <"$source/packaging/completion/promotionctl.zsh")" --help promotionctl.zsh
same "promotionctl's options" "$help" "$(words <"$source/packaging/completion/promotionctl.bash")" --help promotionctl.bash
documented=$(sed 's/\\-/-/g' "$pages/promotionctl.1" | sed -n '/^.SH COMMANDS/,/^.SH OPTIONS/s/^\.BR\{0,1\} \([a-z][a-z-]*\).*/\1/p' | sort -u)
same "promotionctl's commands" "$commands" "$documented" --help promotionctl.1

# Every setting of the documented configuration, by a rule of its own: what stands before the first colon of a line that is
# no prose. tests/unit holds the file and the daemon's keys together.
while read -r key; do
    grep -qE "(\\\\fB|[.])$key(\\\\fR|$)" "$build/packaging/promotiond.yaml.5" || grep -qx "\.SS $key" "$build/packaging/promotiond.yaml.5" ||
        grep -qE "[.]$key[.]" "$build/packaging/promotiond.yaml.5" || fail "promotiond.yaml.5 lacks $key"
done < <(sed -nE 's/^ *#?([A-Za-z0-9]+):.*/\1/p' "$source/config/promotiond.yaml" | sort -u)

# offered <program> <words of a command line>: what bash would offer for the last of them.
offered() {
    bash --norc -c '. "$1"; program=$2; shift 2; COMP_WORDS=("$program" "$@"); COMP_CWORD=$#
        "_$program" "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[*]}"' \
        - "$source/packaging/completion/$1.bash" "$@" 2>/dev/null
}
expect() { [ "$1" = "$2" ] || fail "completion offers \"$1\" instead of \"$2\""; }
expect "$(offered promotiond --check-)" --check-config
expect "$(offered promotiond --config "$source/LIC")" "$source/LICENSE"
expect "$(offered promotiond --config = "$source/LIC")" "$source/LICENSE"
expect "$(offered promotionctl '' | tr ' ' '\n' | sort)" "$commands"
expect "$(offered promotionctl --namespace x wh)" why
expect "$(offered promotionctl promotions --unf)" --unfinished
expect "$(offered promotionctl why --unf)" ""
expect "$(offered promotionctl --output '')" "table json"
expect "$(offered promotionctl -o json promotions --phase = Su)" "Succeeded Superseded"
expect "$(offered promotionctl validate "$source/LIC")" "$source/LICENSE"
for program in promotiond promotionctl; do
    zsh -n "$source/packaging/completion/$program.zsh" || fail "zsh cannot read the completion of $program"
done
