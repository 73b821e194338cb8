# For the scripts that run inside a test machine: promises, and waiting for them.

promise() { echo "-- $*"; }
fail() {
    echo "BROKEN: $*" >&2
    journalctl --unit=promotiond --output=cat --no-pager --lines=30 >&2
    systemctl --no-pager --lines=0 status promotiond >&2
    exit 1
}
# soon COMMAND...  succeeds once it does, within some minutes.
soon() {
    local tries=1200
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "not in time: $*"
        sleep 0.1
    done
}
property() { systemctl show --property="$1" --value promotiond; }
is() { [ "$(property "$1")" = "$2" ]; }
expect() { is "$1" "$2" || fail "$1 is $(property "$1") instead of $2"; }
another_process() { [ "$(property MainPID)" != "$1" ] && is ActiveState active; }
# has PATTERN  whether standard input does; read to its end, since a writer that is cut off would count as a failure.
has() { grep -E "$1" >/dev/null; }
# said PATTERN  whether the service said it since the last mark.
mark() { journalctl --sync; marked=$(journalctl --unit=promotiond --show-cursor --lines=0 --no-pager | sed -n 's/^-- cursor: //p'); }
said() { journalctl --sync; journalctl --unit=promotiond --output=cat --no-pager ${marked:+--after-cursor="$marked"} | has "$1"; }

readonly key=k3y-of-a-test
# What a team has: a pipeline whose promotions go to a webhook on this machine, and the secret for it. Tries follow each
# other quickly.
a_team_promotes() {
    sed -i 's/^  #backoff: .*/  backoff: {first: 500ms, most: 1s}\n  attempts: 10000/' /etc/promotiond/promotiond.yaml
    mkdir -p /etc/promotiond/secrets/flux-system/podinfo
    printf %s "$key" >/etc/promotiond/secrets/flux-system/podinfo/hmac-key
    chmod -R go= /etc/promotiond/secrets
    cat >/etc/promotiond/pipelines/podinfo.yaml <<'X'
apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: podinfo, namespace: flux-system}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: podinfo}
  promotion:
    secretRef: podinfo
    webhook: {url: "http://127.0.0.1:9999/promote"}
  environments:
    - {name: dev, targets: [{namespace: dev}]}
    - {name: prod, targets: [{namespace: prod}]}
X
}
# event REVISION  sends what Flux sends when the revision is ready in dev, and prints the status of the answer; the promotion's
# address is then in $(place).
event() {
    local body signature
    body='{"involvedObject":{"kind":"HelmRelease","namespace":"dev","name":"podinfo","apiVersion":"helm.toolkit.fluxcd.io/v2"},
        "severity":"info","timestamp":"2026-03-02T10:15:30Z","message":"Helm upgrade succeeded","reason":"UpgradeSucceeded",
        "metadata":{"revision":"'$1'"},"reportingController":"helm-controller"}'
    signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$key" | sed 's/.* //')
    printf %s "$body" | curl -s -o /dev/null -D /root/answer -w '%{http_code}' -H "X-Signature: sha256=$signature" \
        -H 'Content-Type: application/json' --data-binary @- http://127.0.0.1:8082/promotion/flux-system/podinfo/dev
}
place() { tr -d '\r' </root/answer | sed -n 's/^Location: //Ip'; }
# in_phase PLACE PHASE
in_phase() { curl -s "http://127.0.0.1:8082$1" | has "\"phase\": *\"$2\""; }
# Answers 200 to every promotion, until the machine ends.
receiver() {
    cat >/root/receive <<'X'
#!/bin/sh
printf 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
exec timeout 2 cat >/dev/null
X
    chmod +x /root/receive
    socat TCP-LISTEN:9999,bind=127.0.0.1,reuseaddr,fork EXEC:/root/receive &
}

# goes_on_over UPGRADE...  the command brings the next version while the promotion $first is in flight, whose receiver is away: a
# new process carries that one out, and takes more. What was edited or chosen below /etc stays.
goes_on_over() {
    local before
    before=$(property MainPID)
    cp /etc/promotiond/promotiond.yaml /root/edited.yaml
    chgrp adm /etc/promotiond/pipelines && chmod 2775 /etc/promotiond/pipelines
    "$@"
    soon another_process "$before"
    cmp -s /root/edited.yaml /etc/promotiond/promotiond.yaml || fail "the edited configuration was replaced"
    [ "$(stat -c %G:%a /etc/promotiond/pipelines)" = adm:2775 ] || fail "the Pipelines' directory is no more as it was chosen"
    receiver
    soon in_phase "$first" Succeeded
    [ "$(event 6.0.2)" = 202 ] || fail "$(cat /root/answer)"
    soon in_phase "$(place)" Succeeded
}
# goes_on_without STRATEGY REMOVAL...  the command removes its package: a new process serves, and has it no more.
goes_on_without() {
    local strategy=$1 before
    shift
    before=$(property MainPID)
    promotionctl plugins | has "$strategy" || fail "$strategy was not there"
    "$@"
    soon another_process "$before"
    soon curl -fs http://127.0.0.1:8081/readyz
    ! promotionctl plugins | has "$strategy" || fail "$strategy is still there"
}
