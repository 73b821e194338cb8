#!/usr/bin/env bash
# The container image: built, what it is made of, and that it runs as Kubernetes would run it - another user than root, a root
# file system that cannot be written, no capabilities - answers probes and drains.
#
#   image.sh SOURCE     SOURCE/build/packages/deb is the directory that scripts/package deb filled
set -euo pipefail
source=$1
. "$source/tests/packaging/skip.sh"
needs_namespaces
"$source/scripts/package" image
needs podman runc skopeo nsenter openssl
image=$source/build/packages/image/promotiond.oci.tar

scratch=$(mktemp -d "${TMPDIR:-/tmp}/promotiond-image-XXXXXX")
podman() { command podman --root "$scratch/storage" --runroot "$scratch/run" --storage-driver vfs --runtime runc --cgroup-manager cgroupfs "$@"; }
tidy() {
    podman rm --force --all --time 0 >/dev/null 2>&1 || true
    podman umount --all >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap tidy EXIT
promise() { echo "-- $*"; }
fail() { echo "BROKEN: $*"; podman logs promotiond 2>/dev/null | tail -20; exit 1; }

promise "the archive says who runs it, what it is and which ports it has"
said=$(skopeo inspect --config "oci-archive:$image")
for each in '"User":"65532:65532"' '"/usr/sbin/promotiond"' '"8082/tcp"' '"org.opencontainers.image.version":"'; do
    tr -d ' \n' <<<"$said" | grep -qF "$each" || fail "$each is not in $said"
done

name=$(podman pull --quiet "oci-archive:$image")
root=$(podman image mount "$name")

promise "it holds less than 60 MiB, no shell, no interpreter and no program but ours"
size=$(du -sm "$root" | cut -f1)
echo "   $size MiB"
[ "$size" -lt 60 ] || fail "$size MiB: $(du -m "$root" | sort -rn | head -20)"
programs=$(cd "$root" && find . -type f -perm /111 ! -name '*.so*' | sort | tr '\n' ' ')
[ "$programs" = "./usr/bin/promotionctl ./usr/sbin/promotiond " ] || fail "programs: $programs"
[ -z "$(find "$root" -perm /6000)" ] || fail "files with another's rights"

promise "nothing in it can be changed by its user but state, cache and /tmp"
writable=$(cd "$root" && find . \( -user 65532 -o -perm /o+w \) ! -type l | sort | tr '\n' ' ')
[ "$writable" = "./tmp ./var/cache/promotiond ./var/lib/promotiond " ] || fail "writable: $writable"

promise "licences and the list of packages are in it"
[ -f "$root/usr/share/doc/libgit2-1.5/copyright" ] && [ -f "$root/var/lib/dpkg/status.d/libc6" ] && [ -f "$root/usr/share/doc/promotiond/copyright" ] ||
    fail "$(ls "$root/usr/share/doc" "$root/var/lib/dpkg/status.d")"

promise "it starts as it stands: read-only, without capabilities, as a user without a name on the host"
# The limits are those of a shell; runc may not raise them in every place where this runs.
podman run --detach --name promotiond --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --network=none --read-only --cap-drop=ALL \
    --security-opt=no-new-privileges "$name" >/dev/null
pid=$(podman inspect --format '{{.State.Pid}}' promotiond)
inside() { nsenter --target "$pid" --net "$@"; }
tries=1200
until inside curl -fs http://127.0.0.1:8081/readyz >/dev/null; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "not ready"
    sleep 0.1
done
status=/proc/$pid/status
grep -qP '^Uid:\t65532\t65532\t' "$status" && grep -q '^CapEff:.0*$' "$status" && grep -q '^NoNewPrivs:.1$' "$status" ||
    fail "$(grep -E 'Uid|Cap|NoNew' "$status")"

promise "probes are answered, and all strategies are there"
inside curl -fs http://127.0.0.1:8081/livez >/dev/null || fail "livez"
inside curl -fs http://127.0.0.1:8081/metrics | grep '^promotiond_build_info' >/dev/null || fail "metrics"
listed=$(podman exec promotiond /usr/bin/promotionctl plugins)
for each in webhook-generic pullrequest-github pullrequest-azdo notification-flux; do grep -q "$each" <<<"$listed" || fail "$listed"; done

promise "the world's certificate authorities are known"
# OpenSSL in a copy of the image, asked about one of them: it has to look in the right place by itself.
mkdir "$scratch/copy" && cp -a "$root/." "$scratch/copy"
cp "$(command -v openssl)" "$scratch/copy/openssl"
sed '/END CERTIFICATE/q' "$root/etc/ssl/certs/ca-certificates.crt" >"$scratch/copy/one.pem"
chroot "$scratch/copy" /openssl verify /one.pem 2>&1 | grep ': OK' >/dev/null || fail "$(chroot "$scratch/copy" /openssl verify /one.pem 2>&1)"

promise "a request that is under way when it is told to stop is answered; then it ends with 0"
# A request whose head was read, the signal, and its body once the probe says that it is stopping.
inside bash -c '
    exec 3<>/dev/tcp/127.0.0.1/8082
    printf "POST /promotion/no/such/place HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n" >&3
    read -r first <&3 && read -r _ <&3 && [[ $first = *" 100 "* ]] || { echo "$first"; exit 1; }
    tries=600
    kill -TERM "$1"
    while curl -fs -o /dev/null http://127.0.0.1:8081/readyz; do
        tries=$((tries - 1)); [ "$tries" -gt 0 ] || exit 1
        sleep 0.05
    done
    printf "{}" >&3
    head -1 <&3' - "$pid" >"$scratch/answer" || fail "no answer: $(cat "$scratch/answer")"
grep -q '^HTTP/1.1 401' "$scratch/answer" || fail "answered $(cat "$scratch/answer")"
[ "$(podman wait promotiond)" = 0 ] || fail "it ended with $(podman inspect --format '{{.State.ExitCode}}' promotiond)"
podman logs promotiond 2>&1 | grep PROMO-0009 >/dev/null || fail "it was not stopped in order"
echo "every promise is kept"
