# A Debian machine in a directory: systemd as the first process, no network but its own loopback. For tests; needs root.
#   machine_make ROOT PACKAGE...   a file system that holds these packages, kept below build/packages for the next time
#   machine_start ROOT             boots it; machine_run COMMAND... then runs commands inside
#   machine_stop                   ends it; safe to call at any time
# The caller has set `source` and `machines`.
. "$source/scripts/retry.sh"

machine_make() {
    local root=$1
    shift
    local packages kept
    packages=$(IFS=,; echo "$*")
    kept=$machines/root-$(echo "$packages" | sha256sum | cut -c1-12).tar
    if [ ! -f "$kept" ]; then
        mkdir -p "$machines"
        fetch_root() {
            rm -f "$kept.new"
            mmdebstrap --quiet --variant=minbase --mode=root --format=tar --include="$packages" bookworm "$kept.new" >"$kept.log" 2>&1
        }
        retry fetch_root || { tail -5 "$kept.log"; rm -f "$kept.new"; skip "mmdebstrap cannot make a Debian root here"; }
        mv "$kept.new" "$kept"
    fi
    mkdir "$root"
    tar -xf "$kept" -C "$root" --numeric-owner
    # A test need not wait for what no machine of its kind has, and nothing happens by the clock while it looks at files.
    ln -s /dev/null "$root/etc/systemd/system/systemd-networkd-wait-online.service"
    ln -s /dev/null "$root/etc/systemd/system/timers.target"
}

machine_start() {
    systemd-nspawn --boot --directory="$1" --register=no --keep-unit --private-network --console=pipe </dev/null >"$1.log" 2>&1 &
    machine=$!
    local tries=3000
    until leader=$(pgrep -P "$machine" | head -1) && [ -n "$leader" ] && machine_is_up; do
        kill -0 "$machine" 2>/dev/null || { cat "$1.log"; machine=; cannot "systemd-nspawn cannot boot a machine here"; }
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { cat "$1.log"; return 1; }
        sleep 0.1
    done
}

# With a unit that failed as well, of which systemctl tells by its exit code.
machine_is_up() { [[ $(machine_run systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]; }

# Nothing of this environment is meant for the machine, a TMPDIR least of all.
machine_run() { nsenter --target "$leader" --all env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }

machine_stop() {
    [ -n "${machine:-}" ] || return 0
    kill -TERM "$machine" 2>/dev/null || true # nspawn then powers the machine off
    for _ in $(seq 600); do kill -0 "$machine" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$machine" 2>/dev/null || true
    [ -z "${leader:-}" ] || kill -KILL "$leader" 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
    # Its first process is the last to be gone: whoever removes the files must meet none of them.
    for _ in $(seq 600); do
        [ -n "${leader:-}" ] && grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$leader/status" 2>/dev/null || break
        sleep 0.1
    done
    machine=
}
