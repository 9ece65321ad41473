# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What scripts/push, scripts/poll, scripts/run-job and scripts/demo-jobs have in common:
# their options, and requests to Letterbox by curl. They need only curl, a shell and the
# small tools that every Linux has. The caller sets `me` (its name in messages).

# Exit statuses, for programs that call the scripts.
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

# read_option "$@": splits the first option, --option VALUE or --option=VALUE. Sets option,
# value, and words, the number of words it takes. The caller checks which option it is, and
# then calls has_value "$@".
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

# Prints a text as the value of a query parameter.
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

# Sends one request: $1 is path and query, the other arguments are curl's. Prints the answer
# and then, on a line of its own, the status: 000 if no answer came. Call it in a subshell,
# which becomes curl, so that a signal to the subshell ends curl.
http() {
    where=$1
    shift
    exec curl --silent --show-error --connect-timeout 10 --write-out '\n%{http_code}' "$@" "${server%/}$where"
}

# Prints a configuration of curl's with the secret in the first line of the file $1, if a
# file is named. Of a line `NAME:KEY SCOPES` (--key-file) the secret is KEY. curl reads it from a file descriptor, since every user of the machine can
# read a process' arguments.
bearer() {
    [ -n "$1" ] || return 0
    # Between the quotes of such a configuration a backslash and a quote need a backslash.
    sed -n '1{s/\r$//;/ /{s/ .*//;s/^[^:]*://;};s/[\\"]/\\&/g;s/.*/header = "Authorization: Bearer &"/p;}' "$1"
}

# The same with the key for the private face.
key_header() {
    bearer "${LETTERBOX_KEY_FILE-}"
}

# Ends the script if $1 is no number of seconds for --wait.
see_wait() {
    case $1 in
        '' | *[!0-9]* | ?????????*) bad_usage "--wait takes whole seconds, not '$1'" ;;
    esac
}

# Ends the script if a file $1 is named and can't be read; $2 is what should be in it.
see_secret() {
    if [ -n "$1" ] && [ ! -r "$1" ]; then fail "$wrong_usage" "cannot read the $2 in $1"; fi
}

newline='
'

# Splits the output of http into answer and code.
split_reply() {
    code=${1##*"$newline"}
    answer=${1%"$newline"*}
    answer=${answer%"$newline"}
}

# Prints the answer in words. (The server's address is printed without the user and password
# in it.)
in_words() {
    case $code in
        000 | '') ;; # no answer, no curl
        *) printf '%s %s\n' "$code" "$answer" && return ;;
    esac
    rest=${server#*://}
    host=${rest%%/*}
    printf 'no answer from %s\n' "${server%"$rest"}${host##*@}${rest#"$host"}${answer:+: $answer}"
}

# Whether the answer means that a retry is pointless. 408 and 429, which a proxy on the way
# may send because of time or rate, do not mean that.
is_refusal() {
    case $code in
        408 | 429) return 1 ;;
        4*) return 0 ;;
        *) return 1 ;;
    esac
}

# Prints a new Idempotency-Key. A push that is repeated with its key is carried out once.
new_key() {
    cat /proc/sys/kernel/random/uuid
}

# Sleeps for milliseconds.
pause() {
    [ "$1" -le 0 ] || sleep "$(seconds "$1")"
}

seconds() {
    printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
}

# Back-off: counts a failure, and sets delay to the milliseconds until the next try. The
# delay doubles from 1 s with each failure in a row, up to $1, and is longer if the server
# says so. Up to 1 s of jitter is added, so that clients don't all come back at once.
failures=0
next_delay() {
    delay=$((failures < 6 ? 1000 << failures : 60000))
    if [ "$delay" -gt "$1" ]; then delay=$1; fi
    asked=$(printf '%s' "$answer" | sed -n 's/.*"retry_after_ms":\([0-9]*\).*/\1/p')
    if [ "${asked:-0}" -gt "$delay" ]; then delay=$asked; fi
    failures=$((failures + 1))
    delay=$((delay + $$ * failures % 1000))
}
