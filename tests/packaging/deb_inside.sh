#!/usr/bin/env bash
# Runs inside the machine of deb.sh. /debs holds the packages, /next the same as the next version.
set -euo pipefail
. /root/inside.sh
export DEBIAN_FRONTEND=noninteractive
installed() { dpkg --install "$@" >/root/dpkg.log 2>&1 </dev/null || { cat /root/dpkg.log; fail "dpkg --install $*"; }; }
removed() { dpkg --remove "$@" >/root/dpkg.log 2>&1 </dev/null || { cat /root/dpkg.log; fail "dpkg --remove $*"; }; }
of() { ls "/$1/$2"_*.deb; }
refuses_to_start() {
    systemctl reset-failed promotiond
    systemctl restart promotiond 2>/dev/null || true
    soon is ActiveState failed
    expect ExecMainStatus 78
}
# stopping_since SECONDS  whether a stop has begun and lasted so long.
stopping_since() {
    is SubState stop-sigterm && awk -v began="$(property StateChangeTimestampMonotonic)" -v least="$1" '{exit !($1 - began / 1e6 >= least)}' /proc/uptime
}
files() { find / -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache/ldconfig -o -path /root -o -path /debs -o -path /next \
    -o -path /tmp -o -path /var/tmp -o -path /var/lib/systemd \) -prune -o -print | sort; }

files >/root/before

promise "a fresh installation runs, ready and as a user of its own"
installed "$(of debs promotiond)" "$(of debs promotionctl)"
expect ActiveState active
expect UnitFileState enabled
soon curl -fs http://127.0.0.1:8081/readyz
[ "$(ps -o user= -p "$(property MainPID)")" = promotiond ] || fail "it runs as another user"
promotionctl version >/dev/null || fail "promotionctl does not reach it"
! said 'level=(warn|error)' || fail "it warns of what nobody configured"

promise "what stands in /etc as it was packaged is in order"
runuser -u promotiond -- promotiond --check >/root/check 2>&1 || { cat /root/check; fail "--check says no"; }

promise "the process has no privilege, a system call filter, and read-only system directories"
status=/proc/$(property MainPID)/status
grep -q '^Seccomp:.2$' "$status" && grep -q '^NoNewPrivs:.1$' "$status" && grep -q '^CapEff:.0*$' "$status" && grep -q '^CapBnd:.0*$' "$status" ||
    fail "$(grep -E 'Seccomp|NoNewPrivs|Cap' "$status")"
[ "$(stat -c %U:%a /var/lib/promotiond /var/cache/promotiond /etc/promotiond/secrets | tr '\n' ' ')" = "promotiond:750 promotiond:750 root:700 " ] ||
    fail "$(stat -c '%n %U:%a' /var/lib/promotiond /var/cache/promotiond /etc/promotiond/secrets)"

promise "the installation of a plugin starts the daemon anew, and it has the strategy"
before=$(property MainPID)
installed /debs/promotiond-plugin-*.deb
soon another_process "$before"
soon curl -fs http://127.0.0.1:8081/readyz
for each in webhook-generic pullrequest-github pullrequest-azdo notification-flux; do
    promotionctl plugins | has "$each" || fail "$(promotionctl plugins)"
done

promise "secrets that root alone may read reach the daemon at its start, and a signed event is taken"
a_team_promotes
systemctl restart promotiond
soon curl -fs http://127.0.0.1:8081/readyz
[ "$(event 6.0.1)" = 202 ] || fail "$(cat /root/answer)"
first=$(place)
[ -n "$first" ] || fail "no promotion: $(cat /root/answer)"

promise "a reload takes what changed, in the same process"
mark; before=$(property MainPID)
sed -i 's/^  #level: info/  level: debug/' /etc/promotiond/promotiond.yaml
systemctl reload promotiond || fail "the reload failed"
soon said PROMO-0010
expect MainPID "$before"

promise "a reload of a file with a mistake fails, says where, and changes nothing"
mark
cp /etc/promotiond/promotiond.yaml /root/good.yaml
echo 'srever: {}' >>/etc/promotiond/promotiond.yaml
! systemctl reload promotiond 2>/dev/null || fail "the reload did not fail"
said 'promotiond.yaml:[0-9]+:[0-9]+: ' || fail "no position in the log"
expect ActiveState active
expect MainPID "$before"
cp /root/good.yaml /etc/promotiond/promotiond.yaml

promise "a kill restarts it, and what was decided is still there"
kill -KILL "$before"
soon another_process "$before"
expect NRestarts 1
soon curl -fs http://127.0.0.1:8081/readyz
! in_phase "$first" Succeeded && curl -fs "http://127.0.0.1:8082$first" >/dev/null || fail "the promotion is gone"

promise "a daemon that hangs is restarted by the watchdog"
mkdir -p /run/systemd/system/promotiond.service.d
printf '[Service]\nWatchdogSec=10s\n' >/run/systemd/system/promotiond.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart promotiond
before=$(property MainPID)
mark
kill -STOP "$before"
soon another_process "$before"
said 'Watchdog timeout' || fail "it was not the watchdog"
rm -r /run/systemd/system/promotiond.service.d
systemctl daemon-reload

promise "a request that is under way at a stop is answered, however short the unit's own time is"
mkdir -p /run/systemd/system/promotiond.service.d
printf '[Service]\nTimeoutStopSec=1s\n' >/run/systemd/system/promotiond.service.d/stop.conf
systemctl daemon-reload
systemctl restart promotiond
exec 3<>/dev/tcp/127.0.0.1/8082
printf 'POST /promotion/no/such/place HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{' >&3
systemctl stop --no-block promotiond
soon stopping_since 3
printf '}' >&3
head -1 <&3 | has '^HTTP/1.1 401' || fail "it was not answered"
exec 3>&-
soon is ActiveState inactive
expect Result success
rm -r /run/systemd/system/promotiond.service.d
systemctl daemon-reload
systemctl start promotiond

promise "a configuration with a mistake at start fails once, with exit code 78"
echo 'srever: {}' >>/etc/promotiond/promotiond.yaml
mark
refuses_to_start
expect NRestarts 0
said 'promotiond.yaml:[0-9]+:[0-9]+: ' || fail "no position in the log"
cp /root/good.yaml /etc/promotiond/promotiond.yaml

promise "a directory of secrets that is missing fails the start with a word on what to do, which mends it"
mv /etc/promotiond/secrets /root/secrets
systemctl reset-failed promotiond
mark
! systemctl restart promotiond 2>/dev/null || fail "it started"
soon said 'no directory /etc/promotiond/secrets: .*systemd-tmpfiles --create promotiond.conf'
! said CREDENTIALS || fail "systemd's own words were first"
systemctl stop promotiond
systemd-tmpfiles --create promotiond.conf
[ "$(stat -c %U:%a /etc/promotiond/secrets)" = root:700 ] || fail "others may read the secrets"
rmdir /etc/promotiond/secrets && mv /root/secrets /etc/promotiond/secrets
systemctl reset-failed promotiond
systemctl start promotiond
soon curl -fs http://127.0.0.1:8081/readyz

promise "a directory of secrets that the configuration names and that is not there is told of at the start"
sed -i 's,^    secrets: .*,    secrets: /etc/promotiond/none,' /etc/promotiond/promotiond.yaml
mark
systemctl restart promotiond
soon said 'PROMO-0016.*/etc/promotiond/none'
cp /root/good.yaml /etc/promotiond/promotiond.yaml

promise "a plugin of another architecture or another ABI is refused by name, and the others serve"
strategies=$(sed -n 's,^  directory: \(.*/strategies\)$,\1,p' /etc/promotiond/promotiond.yaml)
good=$strategies/webhook-generic.so
sed 's/promotiond_plugin_v1/promotiond_plugin_v9/g' "$good" >"$strategies/other-abi.so"
cp "$good" "$strategies/other-machine.so"
printf '\050' | dd of="$strategies/other-machine.so" bs=1 seek=18 conv=notrunc status=none # the code of 32-bit ARM
mark
systemctl restart promotiond
soon curl -fs http://127.0.0.1:8081/readyz
said 'PROMO-0004.*other-abi.so: exports no promotiond_plugin_v1.*rebuild it' || fail "no word on the ABI"
said 'PROMO-0004.*other-machine.so: is built for arm, this promotiond for ' || fail "no word on the architecture"
promotionctl plugins | has webhook-generic || fail "$(promotionctl plugins)"
rm "$strategies/other-abi.so" "$strategies/other-machine.so"
systemctl restart promotiond
soon curl -fs http://127.0.0.1:8081/readyz

promise "a journal of another user is refused with a word on what to do, and given back it goes on"
systemctl stop promotiond
chown root:root /var/lib/promotiond/journal.db
mark
refuses_to_start
said 'journal.db belongs to user 0.*chown' || fail "no reason in the log"
chown promotiond:promotiond /var/lib/promotiond/journal.db
systemctl reset-failed promotiond
systemctl start promotiond
soon curl -fs http://127.0.0.1:8081/readyz

promise "a state directory of another user is the daemon's again at its next start, with all that is in it"
systemctl stop promotiond
chown -R root:root /var/lib/promotiond
systemctl start promotiond
soon curl -fs http://127.0.0.1:8081/readyz
curl -fs "http://127.0.0.1:8082$first" >/dev/null || fail "the promotion is gone"

promise "a directory of strategies that others may write to is refused with a word on what to do"
chmod o+w "$strategies"
mark
refuses_to_start
said "$strategies.*writ" || fail "no reason in the log"
chmod o-w "$strategies"

promise "a journal of a newer version is left as it is"
cp /var/lib/promotiond/journal.db /root/journal.db
sqlite3 /var/lib/promotiond/journal.db 'PRAGMA user_version = 999'
mark
refuses_to_start
said 'journal.db has schema 999, .*run the version that wrote it' || fail "no reason in the log"
cp /root/journal.db /var/lib/promotiond/journal.db
systemctl stop promotiond
systemctl reset-failed promotiond
systemctl start promotiond
soon curl -fs http://127.0.0.1:8081/readyz

promise "the guide's commands back the journal up while it is used, and bring it back"
sed -n '/^## Back up/,/^## /{/^```sh$/,/^```$/{/^```/d;p}}' /root/operations.md >/root/commands
[ "$(grep -c journal.db /root/commands)" -ge 3 ] || fail "the guide has other commands: $(cat /root/commands)"
bash -e <(grep '\.backup' /root/commands)
sqlite3 /var/backups/promotiond.db 'PRAGMA quick_check' | has '^ok$' || fail "the copy is damaged"
systemctl stop promotiond
echo lost >/var/lib/promotiond/journal.db
bash -e <(grep -v '\.backup' /root/commands)
soon curl -fs http://127.0.0.1:8081/readyz
curl -fs "http://127.0.0.1:8082$first" >/dev/null || fail "the promotion is not in the restored journal"
rm /var/backups/promotiond.db

promise "the socket is not enabled by itself; with it, events wait through a restart of the service"
[ "$(systemctl is-enabled promotiond.socket)" = disabled ] || fail "the socket is $(systemctl is-enabled promotiond.socket)"
systemctl stop promotiond
systemctl start promotiond.socket
[ "$(event 6.0.1)" = 202 ] || fail "the event did not start the service: $(cat /root/answer)"
soon is ActiveState active # it serves before it tells so
systemctl stop promotiond 2>/dev/null
[ "$(event 6.0.1)" = 202 ] || fail "the event did not wait: $(cat /root/answer)"
[ "$(place)" = "$first" ] || fail "another promotion: $(place) instead of $first"

promise "an upgrade starts the new version, keeps what was edited and what listens, and goes on with work in flight"
goes_on_over installed /next/*.deb
systemctl is-active --quiet promotiond.socket || fail "the socket was lost"

promise "what Debian's own machinery would try of the installed packages passes"
mkdir /root/smoke-place
AUTOPKGTEST_TMP=/root/smoke-place sh /root/smoke >/root/smoke.log 2>&1 || { cat /root/smoke.log; fail "smoke"; }

promise "the SDK builds nothing, but its verifier accepts the packaged strategies"
promotiond-verify --config '{"url":"https://hook.test/in"}' "$strategies/webhook-generic.so" >/root/verify 2>&1 || { tail -5 /root/verify; fail "not accepted"; }

promise "the removal of a plugin starts the daemon anew, without it"
goes_on_without webhook-generic removed promotiond-plugin-webhook-generic

promise "a removal ends the service and keeps journal, secrets and configuration"
removed promotiond-plugin-pullrequest-github promotiond-plugin-pullrequest-azdo promotiond-plugin-notification-flux promotiond
! systemctl is-active --quiet promotiond || fail "it still runs"
! systemctl is-active --quiet promotiond.socket || fail "the socket still listens"
for each in /var/lib/promotiond/journal.db /etc/promotiond/secrets/flux-system/podinfo/hmac-key /etc/promotiond/promotiond.yaml /etc/promotiond/pipelines/podinfo.yaml; do
    [ -f "$each" ] || fail "$each is gone"
done

promise "a purge leaves the user, and what an administrator put there; nothing else"
dpkg --purge promotiond promotionctl promotiond-dev promotiond-plugin-webhook-generic promotiond-plugin-pullrequest-github promotiond-plugin-pullrequest-azdo promotiond-plugin-notification-flux >/dev/null 2>&1
getent passwd promotiond >/dev/null || fail "the user is gone"
left=$(files | comm -13 /root/before - | grep -vE '^/etc/(group|passwd|shadow|gshadow)-$|^/run' || true)
[ "$left" = "/etc/promotiond
/etc/promotiond/pipelines
/etc/promotiond/pipelines/podinfo.yaml" ] || fail "left behind: $left"
echo "every promise is kept"
