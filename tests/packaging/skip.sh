# skip WHY  ends a test that cannot run here: counted as skipped, and a failure where CI is set.
skip() {
    echo "SKIP: $*"
    [ -z "${CI:-}" ] || exit 1
    exit 77
}
# needs COMMAND...  skips unless all of them are there.
needs() {
    PATH=$PATH:/usr/sbin
    for each in "$@"; do
        command -v "$each" >/dev/null || skip "no $each; run scripts/dependencies packaging"
    done
}
