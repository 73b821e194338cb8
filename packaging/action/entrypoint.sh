#!/bin/sh
# What action.yml runs: its inputs, which GitHub gives as INPUT_<NAME>, as promotionctl's flags.
set -eu

flags() {
    for name in "$@"; do
        eval "value=\${INPUT_$(echo "$name" | tr '[:lower:]' '[:upper:]'):-}"
        [ -z "$value" ] || printf '%s\n' "--$name=$value"
    done
}

action=${INPUT_ACTION:-}
case $action in
    new) wanted='group app tag' ;;
    feature) wanted='group app tag feature' ;;
    promote | status | feature-stale) wanted= ;;
    *) echo "Unkown action $action"; exit 1 ;;  # as gitops-promotion's action spells it
esac

# In a file of its own no list of processes shows the token.
token=$(mktemp)
trap 'rm -f "$token"' EXIT
printf '%s' "${INPUT_TOKEN:-}" > "$token"

# One flag a line: none of the values can hold a line break and still name an image.
IFS='
'
set -f
# shellcheck disable=SC2046,SC2086
promotionctl "$action" --provider github --sourcedir "${GITHUB_WORKSPACE:-.}" --token-file "$token" $(IFS=' '; flags $wanted)
