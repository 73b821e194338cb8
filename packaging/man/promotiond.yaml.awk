# Makes promotiond.yaml(5) of the comments in config/promotiond.yaml: a page that cannot say anything else.
# A setting is a line "key: value", or "#key: value" where the value is the default; its comment stands above it.

function escaped(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}

# The settings that share the comment before them, then the comment.
function flush(    i) {
    for (i = 1; i <= settings; i++) print (i == 1 ? ".TP" : ".TQ") "\n" setting[i]
    if (settings > 0) for (i = 1; i <= lines; i++) print line[i]
    if (settings > 0) lines = 0
    settings = 0
}

BEGIN {
    print ".\\\" Made from config/promotiond.yaml."
    print ".TH promotiond.yaml 5 2026-11-21 promotiond \"File formats\""
    print ".ad l" # ragged: addresses and flow lists leave lines that cannot be adjusted
    print ".SH NAME\npromotiond.yaml \\- configuration of promotiond"
    print ".SH SYNOPSIS\n.I /etc/promotiond/promotiond.yaml\n.SH DESCRIPTION"
    first = 1
}

# The title of the file says what the page says already.
NR == 1 { next }

/^ *# / || /^ *#$/ {
    flush()
    text = $0
    sub(/^ *# ?/, "", text)
    sub(/^Lines that are commented out show the default[.] /, "", text) # of the file, not of the page
    if (first) { if (text != "") print escaped(text) }
    else line[++lines] = escaped(text)
    next
}

/^ *#?[A-Za-z][A-Za-z0-9]*:/ {
    match($0, /^ */)
    depth = RLENGTH / 2
    text = $0
    sub(/^ *#?/, "", text)
    key = text
    sub(/:.*/, "", key)
    value = text
    sub(/^[^:]*: */, "", value)
    name[depth] = key
    path = name[0]
    for (i = 1; i <= depth; i++) path = path "." name[i]
    if (value == "") {
        flush()
        if (first) print ".SH KEYS\nEach with its default, or with an example where there is none."
        first = 0
        if (depth == 0) print ".SS " key
        for (i = 1; i <= lines; i++) print line[i]
        lines = 0
    } else {
        setting[++settings] = "\\fB" escaped(path) "\\fR: " escaped(value)
    }
    next
}

/^$/ { flush(); next }

{ print FILENAME ":" NR ": neither comment nor setting: " $0 > "/dev/stderr"; exit 1 }

END {
    flush()
    print ".SH FILES\n.I /etc/promotiond/promotiond.yaml\n.SH SEE ALSO\n.BR promotiond (8),\n.BR promotiond\\-plugins (7)"
}
