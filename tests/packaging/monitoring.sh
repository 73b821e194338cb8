#!/usr/bin/env bash
# Alert rules and board: the rules fire for what they are there for, and nothing is asked for that the daemon does not count.
set -euo pipefail
source=$1
. "$source/tests/packaging/skip.sh"
needs promtool node
cd "$source/packaging/monitoring"
promtool check rules promotiond.rules.yaml
promtool test rules promotiond.rules.test.yaml
node -e 'JSON.parse(require("fs").readFileSync("grafana.json"))'
for metric in $(grep -ohE '\bpromotiond_[a-z_]+' promotiond.rules.yaml grafana.json | sed 's/_bucket$//' | sort -u); do
    grep -rqF "\"$metric\"" "$source/daemon" || { echo "the daemon has no metric $metric"; exit 1; }
done
# Every alert is in the guide, with what to do.
for alert in $(sed -n 's/^ *- alert: //p' promotiond.rules.yaml); do
    grep -q "$alert" "$source/docs/operations.md" || { echo "docs/operations.md does not speak of $alert"; exit 1; }
done
