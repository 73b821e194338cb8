# skip WHY  ends a test that cannot run here: counted as skipped, and a failure where CI is set.
skip() {
    echo "SKIP: $*"
    [ -z "${CI:-}" ] || exit 1
    exit 77
}
# cannot WHY  the same for what no installation mends: skipped and counted where CI is set, too.
cannot() {
    echo "SKIP: $*"
    exit 77
}
# needs_namespaces  for machines and containers, which a container without privileges cannot hold.
needs_namespaces() {
    [ "$(id -u)" = 0 ] || skip "needs root"
    unshare --mount --pid --fork --mount-proc true 2>/dev/null || cannot "no new mount and process namespaces here; run it on a machine or in a privileged container"
}
# needs COMMAND...  skips unless all of them are there.
needs() {
    PATH=$PATH:/usr/sbin
    for each in "$@"; do
        command -v "$each" >/dev/null || skip "no $each; run scripts/dependencies packaging"
    done
}
