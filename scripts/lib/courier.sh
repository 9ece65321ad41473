# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# The courier of scripts/run-job: a process beside the command that carries the messages
# about it to Letterbox, so that the command never waits for one. Belongs to run-job, and
# uses http.sh.
#
# What it reads is in the directory $box: the end of the command's output in `before` and
# `now`, and once the command has ended `over`: exit status, signal (or "-"), milliseconds.
# Progress is looked for when there is a way to send it: so a message that could not be
# sent is never queued, but replaced by what is true at the next try.

# How long one request may take, in seconds, and the longest pause between two tries, in
# milliseconds. How much of the output is looked at, in bytes.
patience=20
longest_pause=15000
window=16384

courier() {
    # It is up to run-job when this ends: SIGUSR1 says that the command has, and SIGUSR2
    # that nobody waits for the rest.
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
    # Not by SIGTERM, which is ignored here, and by what this has started.
    [ -z "$1" ] || kill -s KILL "$1" 2>/dev/null || :
}

# Whether the command still runs. Should run-job itself have been killed nobody will say
# how the command ended, and nobody needs this process.
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

# Sleeps for milliseconds, or until the command ends. The order matters: `over` is there
# before SIGUSR1 comes, so one of the two is seen.
doze() {
    sleep "$(seconds "$1")" &
    napping=$!
    if [ -n "$deadline" ] || [ ! -e "$box/over" ]; then wait "$napping" || :; fi
    end_child "$napping"
    napping=
}

# deliver STATE: pushes until it is there. False if it was refused, or the time is over.
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

# Pushes the last line that the command has printed, if it is not what was pushed last.
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

# Sets message to the data of a message about what is known now.
describe() {
    status=0 signal=- ms=0
    if [ "$1" = done ]; then read -r status signal ms <"$box/over"; fi
    message=$({
        cat "$box/before" "$box/now" 2>/dev/null | tail -c "$window" | tr '\r\000' '\n\377'
        printf '|'
    } | WINDOW=$window JOB=$id STATE=$1 COMMAND=$title STATUS=$status SIGNAL=${signal#-} MS=$ms awk -f "$here/lib/job.awk")
}

# Pushes the message once. Sets outcome: delivered, refused or away; each of the last two
# is said when it is new.
outcome=delivered
push() {
    printf '%s' "$message" >"$box/message"
    before=$outcome
    http "/push?to=$(encode "$user")$query" --max-time "$patience" --header 'Content-Type: application/json' \
        --data-binary @- --config /dev/fd/3 <"$box/message" >"$box/reply" 2>&1 3<<END &
$(key_header)
END
    asking=$!
    # A signal ends `wait` as well.
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
