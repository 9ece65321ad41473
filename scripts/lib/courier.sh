# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# The courier of scripts/run-job: a process beside the command that sends the messages
# about it to Letterbox, so that the command never waits for a message. Only run-job uses
# it; it uses http.sh.
#
# The courier reads the directory $box: `before` and `now` hold the end of the command's
# output, and once the command has ended `over` holds its exit status, signal (or "-") and
# milliseconds. Progress is read just before it is sent: so a message that could not be
# sent is never queued, but replaced by what is true at the next try.

# How long one request may take, in seconds; the longest pause between two tries, in
# milliseconds; how much of the output is read, in bytes.
patience=20
longest_pause=15000
window=16384

courier() {
    # run-job decides when the courier ends: SIGUSR1 says that the command has ended, and
    # SIGUSR2 that the remaining messages are no longer wanted.
    trap '' HUP INT TERM
    trap 'end_child "$napping"' USR1
    trap 'end_child "$napping"; end_child "$asking"; complain "not everything was delivered"; exit 1' USR2
    LC_ALL=C
    export LC_ALL

    deliver started || :
    while
        doze 1000
        command_runs
    do
        report_progress
    done
    deliver done
}

napping=
asking=
end_child() {
    # Not by SIGTERM, which the courier ignores, and so does each child of it.
    [ -z "$1" ] || kill -s KILL "$1" 2>/dev/null || :
}

# Whether the command still runs. If run-job itself was killed, the courier ends: it will
# never learn how the command ended.
deadline=
command_runs() {
    if [ -e "$box/over" ]; then return 1; fi
    if ! kill -s 0 "$$" 2>/dev/null; then
        rm -rf -- "$box"
        exit 1
    fi
}

# Whether there is time for another try: always while the command runs, and then for
# $longest_wait seconds.
may_try_again() {
    if command_runs; then return 0; fi
    deadline=${deadline:-$(($(now) + longest_wait * 1000))}
    left=$((deadline - $(now)))
    [ "$left" -gt 0 ] || return 1
    if [ "$delay" -gt "$left" ]; then delay=$left; fi
}

# Sleeps for $1 milliseconds, or until the command ends. The order of the steps matters:
# `over` is written before SIGUSR1 is sent, so the courier sees one of the two.
doze() {
    sleep "$(seconds "$1")" &
    napping=$!
    if [ -n "$deadline" ] || [ ! -e "$box/over" ]; then wait "$napping" || :; fi
    end_child "$napping"
    napping=
}

# deliver STATE: pushes the message until it is delivered. False if it was refused, or if
# the time is over.
deliver() {
    failures=0
    describe "$1"
    until push; do
        if [ "$outcome" = refused ]; then return 1; fi
        next_delay "$longest_pause"
        if ! may_try_again; then
            complain "the message '$1' could not be delivered: $(in_words)"
            return 1
        fi
        doze "$delay"
    done
}

# Pushes the last line that the command has printed, if it was not the last one pushed.
said=
report_progress() {
    if [ "$outcome" = refused ]; then return 0; fi
    describe progress
    if [ -z "$message" ] || [ "$message" = "$said" ]; then return 0; fi
    if push; then
        said=$message
        failures=0
    elif [ "$outcome" = away ]; then
        next_delay "$longest_pause"
        doze "$delay"
    fi
}

# describe STATE: sets message to the data of a message about the command's present state.
describe() {
    status=0 signal=- ms=0
    if [ "$1" = done ]; then read -r status signal ms <"$box/over"; fi
    message=$({
        cat "$box/before" "$box/now" 2>/dev/null | tail -c "$window" | tr '\r\000' '\n\377'
        printf '|'
    } | WINDOW=$window JOB=$id STATE=$1 COMMAND=$title STATUS=$status SIGNAL=${signal#-} MS=$ms awk -f "$here/lib/job.awk")
}

# Pushes the message. While it is the same it keeps its key: it arrives once, also if the answer to
# an attempt was lost. Sets outcome: delivered, refused or away. Complains when the
# outcome becomes refused or away.
outcome=delivered
keyed=
push() {
    if [ "$message" != "$keyed" ]; then
        keyed=$message
        key=$(new_key)
        printf '%s' "$message" >"$box/message"
    fi
    before=$outcome
    http "/push?to=$(encode "$user")$query" --max-time "$patience" --header 'Content-Type: application/json' \
        --header "Idempotency-Key: $key" --data-binary @- --config /dev/fd/3 <"$box/message" >"$box/reply" 2>&1 3<<END &
$(key_header)
END
    asking=$!
    # (A signal also ends `wait`.)
    while wait "$asking" || :; kill -s 0 "$asking" 2>/dev/null; do :; done
    asking=
    split_reply "$(cat "$box/reply")"
    case $code in
        2*) outcome=delivered ;;
        *) if is_refusal; then outcome=refused; else outcome=away; fi ;;
    esac
    case $before,$outcome in
        refused,refused | away,away) ;;
        *,refused) complain "refused: $(in_words)" ;;
        *,away) complain "$(in_words); trying again" ;;
    esac
    [ "$outcome" = delivered ]
}

complain() {
    echo "$me: $*" >&2
}
