# retry COMMAND...  runs what fetches something, and again if it fails, since mirrors and networks are not well at times: four
# tries, 5, 10 and 20 s apart, each failure told on standard error. To be sourced.
retry() {
    local pause status
    for pause in 5 10 20; do
        "$@" && return
        status=$?
        [ "$status" != 127 ] || return 127 # there is no such program
        echo "$1 failed with $status; trying again in $pause s" >&2
        sleep "$pause"
    done
    "$@"
}
