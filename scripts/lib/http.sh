# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What scripts/push, scripts/poll, scripts/run-job and scripts/demo-jobs have in common:
# their options, and talking to Letterbox by curl. They need nothing else but a shell and
# the small tools that every Linux has. The caller sets `me` (its name in messages).

# Exit statuses, for those who call the scripts from others.
# shellcheck disable=SC2034 # not every script has each of them
refused=1 wrong_usage=2 try_later=75 # EX_TEMPFAIL of sysexits.h

server=${LETTERBOX_URL:-http://127.0.0.1:8080}

fail() {
    status=$1
    shift
    echo "$me: $*" >&2
    exit "$status"
}

bad_usage() {
    fail "$wrong_usage" "$*; see $me --help"
}

# read_option "$@": takes the option that comes first apart, which is --option VALUE or
# --option=VALUE. Sets option, value, and words: of how many words it is made. The caller
# looks which option it is, and then calls has_value "$@".
read_option() {
    option=${1%%=*}
    case $1 in
        *=*) value=${1#*=} words=1 ;;
        *) value=${2-} words=2 ;;
    esac
}

has_value() {
    [ $# -ge "$words" ] || bad_usage "$option needs a value"
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

# What curl is to send beside the request, as a configuration of its own: the secret in
# the first line of a file, if one is named. For a file descriptor, since what stands
# among a process' arguments all of the machine may read.
bearer() {
    [ -n "$1" ] || return 0
    # In the quotes of such a file a backslash and a quote want a backslash.
    sed -n '1{s/[\\"]/\\&/g;s/\r$//;s/.*/header = "Authorization: Bearer &"/p;}' "$1"
}

# The key of whoever pushes.
key_header() {
    bearer "${LETTERBOX_KEY_FILE-}"
}

# Ends the script where a file is named that it can't read; $2 is what should be in it.
see_secret() {
    if [ -n "$1" ] && [ ! -r "$1" ]; then fail "$wrong_usage" "cannot read the $2 in $1"; fi
}

newline='
'

# Takes what http has printed apart: sets answer and code.
split_reply() {
    code=${1##*"$newline"}
    answer=${1%"$newline"*}
    answer=${answer%"$newline"}
}

# What came back, in words. (Of a server's address without who logs in there.)
in_words() {
    case $code in
        000 | '') ;; # no answer, no curl
        *) printf '%s %s\n' "$code" "$answer" && return ;;
    esac
    rest=${server#*://}
    host=${rest%%/*}
    printf 'no answer from %s\n' "${server%"$rest"}${host##*@}${rest#"$host"}${answer:+: $answer}"
}

# Whether an answer says that asking again is pointless. What a proxy on the way says of
# itself, too slow and too often, does not.
is_refusal() {
    case $code in
        408 | 429) return 1 ;;
        4*) return 0 ;;
        *) return 1 ;;
    esac
}

# Sleeps for milliseconds.
pause() {
    [ "$1" -le 0 ] || sleep "$(seconds "$1")"
}

seconds() {
    printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
}

# Counts a failure, and sets delay to the milliseconds until the next try: twice as many
# after each failure in a row, up to $1, more if the server says so; and not the same
# for all clients.
failures=0
next_delay() {
    delay=$((failures < 6 ? 1000 << failures : 60000))
    if [ "$delay" -gt "$1" ]; then delay=$1; fi
    asked=$(printf '%s' "$answer" | sed -n 's/.*"retry_after_ms":\([0-9]*\).*/\1/p')
    if [ "${asked:-0}" -gt "$delay" ]; then delay=$asked; fi
    failures=$((failures + 1))
    delay=$((delay + $$ * failures % 1000))
}
