#!/usr/bin/env bash
# Runs inside the machine of rpm.sh. /rpms holds the packages, /next the same as the next release.
set -euo pipefail
. /root/inside.sh
rpm_does() { rpm --nodeps "$@" >/root/rpm.log 2>&1 || { cat /root/rpm.log; fail "rpm $*"; }; }

promise "a fresh installation runs, ready and as a user of its own, even where presets leave services off"
mkdir -p /etc/systemd/system-preset
echo 'disable *' >/etc/systemd/system-preset/00-off.preset # as Fedora has it at the end
rpm_does -i /rpms/promotiond-[0-9]*.rpm /rpms/promotionctl-*.rpm
[ "$(systemctl is-enabled promotiond)" = enabled ] || fail "it is not enabled"
soon curl -fs http://127.0.0.1:8081/readyz
[ "$(ps -o user= -p "$(property MainPID)")" = promotiond ] || fail "it runs as another user"
[ "$(stat -c %U:%a /etc/promotiond/secrets)" = root:700 ] || fail "others may read the secrets"

promise "the installation of a plugin starts the daemon anew, and it has the strategy"
before=$(property MainPID)
rpm_does -i /rpms/promotiond-plugin-*.rpm
soon another_process "$before"
soon curl -fs http://127.0.0.1:8081/readyz
for each in webhook-generic pullrequest-github pullrequest-azdo notification-flux; do
    promotionctl plugins | has "$each" || fail "$(promotionctl plugins)"
done

promise "a signed event is taken, and waits for whom it is for"
a_team_promotes
systemctl restart promotiond
soon curl -fs http://127.0.0.1:8081/readyz
[ "$(event 6.0.1)" = 202 ] || fail "$(cat /root/answer)"
first=$(place)
[ -n "$first" ] || fail "no promotion: $(cat /root/answer)"

promise "a reload is taken; one of a file with a mistake fails and changes nothing"
before=$(property MainPID)
systemctl reload promotiond || fail "the reload failed"
cp /etc/promotiond/promotiond.yaml /root/good.yaml
echo 'srever: {}' >>/etc/promotiond/promotiond.yaml
! systemctl reload promotiond 2>/dev/null || fail "the reload did not fail"
expect MainPID "$before"
cp /root/good.yaml /etc/promotiond/promotiond.yaml

promise "the socket is there, and not enabled by itself"
[ "$(systemctl is-enabled promotiond.socket)" = disabled ] || fail "the socket is $(systemctl is-enabled promotiond.socket)"

promise "an upgrade starts the new version, keeps what was edited, and goes on with work in flight"
goes_on_over rpm_does -U /next/*.rpm
[ "$(rpm -q promotiond --queryformat '%{RELEASE}')" = 1.next ] || fail "it is $(rpm -q promotiond)"

promise "the SDK is there beside it, and its verifier accepts the packaged strategies"
promotiond-verify --config '{"url":"https://hook.test/in"}' "$(rpm -ql promotiond-plugin-webhook-generic | grep '\.so$')" >/root/verify 2>&1 ||
    { tail -5 /root/verify; fail "not accepted"; }

promise "the removal of a plugin starts the daemon anew, without it"
goes_on_without webhook-generic rpm_does -e promotiond-plugin-webhook-generic

promise "an erasure ends the service and keeps journal, secrets, Pipelines and edited configuration"
rpm_does -e promotiond promotionctl promotiond-devel promotiond-plugin-pullrequest-github promotiond-plugin-pullrequest-azdo promotiond-plugin-notification-flux
! systemctl is-active --quiet promotiond || fail "it still runs"
for each in /var/lib/promotiond/journal.db /etc/promotiond/secrets/flux-system/podinfo/hmac-key /etc/promotiond/pipelines/podinfo.yaml; do
    [ -f "$each" ] || fail "$each is gone"
done
cmp -s /root/edited.yaml /etc/promotiond/promotiond.yaml.rpmsave || fail "the edited configuration is gone"
echo "every promise is kept"
