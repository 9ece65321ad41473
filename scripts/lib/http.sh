# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What scripts/push and scripts/poll have in common: talking to Letterbox by curl.
# They need nothing else, so that they run on any machine that has curl. The caller
# sets `me` (its name in messages) and defines usage.

# Exit statuses, for those who call the scripts from others.
refused=1
wrong_usage=2
try_later=75 # EX_TEMPFAIL of sysexits.h

server=${LETTERBOX_URL:-http://127.0.0.1:8080}

fail() {
    status=$1
    shift
    echo "$me: $*" >&2
    exit "$status"
}

bad_usage() {
    echo "$me: $*" >&2
    usage >&2
    exit "$wrong_usage"
}

# Text as the value of a query parameter.
encode() {
    rest=$1
    while [ -n "$rest" ]; do
        char=${rest%"${rest#?}"}
        rest=${rest#?}
        case $char in
            [A-Za-z0-9._~-]) printf '%s' "$char" ;;
            *) printf '%s' "$char" | od -A n -v -t x1 | tr ' ' % | tr -d '\n' ;;
        esac
    done
}

# One request: $1 is path and query, what follows are arguments of curl's. Prints the
# answer, and below it, on a line of its own, the status: 000 where there was none.
# For a subshell, which becomes curl, so that whoever ends the one ends the other.
http() {
    where=$1
    shift
    exec curl --silent --show-error --connect-timeout 10 --write-out '\n%{http_code}' "$@" "${server%/}$where"
}

# What curl is to send beside the request, as a configuration of its own: the key in
# LETTERBOX_KEY_FILE, if that is set. For a file descriptor, since what stands among a
# process' arguments all of the machine may read.
key_header() {
    [ -n "${LETTERBOX_KEY_FILE-}" ] || return 0
    # In the quotes of such a file a backslash and a quote want a backslash.
    sed -n '1{s/[\\"]/\\&/g;s/\r$//;s/.*/header = "Authorization: Bearer &"/p;}' "$LETTERBOX_KEY_FILE"
}

newline='
'

# Takes what http has printed apart: sets answer and code.
split_reply() {
    code=${1##*"$newline"}
    answer=${1%"$newline"*}
    answer=${answer%"$newline"}
}
