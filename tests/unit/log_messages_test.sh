#!/usr/bin/env bash
# docs/log-messages.md is the table of what the log says: each id that the code logs with stands in it once, with the level that
# it has in the code, its meaning and what to do; in order, and no other id does. Other documents speak of ids in it alone.
set -euo pipefail
cd "$1"

bad=0
complain() { echo "$1"; bad=1; }
table=docs/log-messages.md
rows=$(grep '^| PROMO-' $table)
ids=$(sed -nE 's/^\| (PROMO-[0-9]{4}) \|.*/\1/p' <<<"$rows")

[ "$(wc -l <<<"$ids")" = "$(wc -l <<<"$rows")" ] || complain "$table: a row does not begin with an id of four digits"
sort --check=quiet --unique <<<"$ids" || complain "$table: the ids are not in order, or one stands twice: $(sort --check --unique <<<"$ids" 2>&1)"
whole='^\| PROMO-[0-9]{4} \| [^|]+ \| [^|]*[^| ][^|]* \| [^|]*[^| ][^|]* \|$'
incomplete=$(grep -vE "$whole" <<<"$rows" || true)
[ -z "$incomplete" ] || complain "$table: not id, level, meaning and action: $incomplete"

# The code on one line, so that a call is whole, without what only talks about ids.
code=$(find daemon plugins sdk \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' \) -exec sed 's,^ *//.*,,' {} + | tr -s '\n ' ' ')
logged=$(grep -oE '"PROMO-[^"]*"' <<<"$code" | tr -d '"' | sort -u)
[ -n "$logged" ] || complain "no ids were found in the code"
missing=$(comm -23 <(echo "$logged") <(sort -u <<<"$ids"))
[ -z "$missing" ] || complain "$table lacks $missing"
stale=$(comm -13 <(echo "$logged") <(sort -u <<<"$ids"))
[ -z "$stale" ] || complain "$table has what nothing logs: $stale"

# log::write() takes the level from elsewhere; such ids are in the table with what they may have.
while read -r level id; do
    grep -qE "^\| $id \| ([a-z]+, )?$level(, [a-z]+)? \|" <<<"$rows" || complain "$table: $id is logged as $level"
done < <(grep -oE '\b(debug|info|warn|error)\( ?"PROMO-[0-9]{4}"' <<<"$code" | sed -E 's/\( ?"/ /; s/"//' | sort -u)

named=$(grep -rhoE 'PROMO-[0-9]+' README.md SECURITY.md docs config packaging sdk plugins --include='*.md' --include='*.yaml' --include='*.json' --include='*.[1-8]' | sort -u)
unknown=$(comm -13 <(sort -u <<<"$ids") <(echo "$named"))
[ -z "$unknown" ] || complain "documents name ids that are not in $table: $unknown"
exit $bad
