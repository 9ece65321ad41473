# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Replacing the programs of a running stack without a failed request. Belongs to
# stack.sh, whose names it uses.
#
# A successor is started beside the program that runs, on sockets of its own,
# run/poll.next.sock and so on. Once it answers there, these are renamed to run/poll.sock
# and so on: each in one step, so that nginx, which connects by that path, finds either
# the one or the other. Then the old program is told to end. It still serves the requests
# that have reached it, has nginx give up the connections that it keeps, and answers its parked polls.
#
# One program for both faces takes the place of two in the same way, or two of one.

restart_stack() {
    raise_limits
    choose_port
    prepare_nginx
    was_apart=$apart
    old=
    for part in poll push; do
        if pid=$(part_pid "$part"); then old="$old $part:$pid"; fi
    done
    if [ -z "$old" ]; then was_apart=$asked_apart; fi
    take_way "$asked_apart"
    start_servers
    for part in $parts; do
        case $part in
            redis*) ;;
            nginx)
                if ! part_runs "$part" || ! has_socket "$part"; then start_or_mend "$part"; fi
                ;;
            *)
                if [ "$apart" != "$was_apart" ] || part_runs "$part"; then
                    start_successor "$part"
                else
                    start_part "$part"
                fi
                ;;
        esac
    done
    # What has begun is ended: half of it would be no good.
    trap '' HUP INT QUIT TERM
    for part in $successors; do take_over "$part"; done
    successors=
    reload_nginx
    for part in $old; do end_process "${part%:*}" "${part#*:}" TERM || :; done
    if [ -z "$apart" ]; then rm -f run/push.pid run/letterbox-push; fi
    take_down_on_exit
    see_it_ready
    start_extras
}

start_successor() {
    remove_successor "$1"
    successors="$successors $1"
    "start_$1" "$1.next" 9>&- || fail_with_log "$1" 'did not start, the old one goes on'
    within 10 successor_answers_or_died "$1" || die "the new $1 gives no proper answer, the old one goes on; its log is $dir/log/$1.log"
    pid_in "run/$1.next.pid" "$1" >/dev/null || fail_with_log "$1" 'did not start, the old one goes on'
}

successor_answers_or_died() {
    pid_in "run/$1.next.pid" "$1" >/dev/null || return 0
    for socket in $(sockets_of "$1"); do
        [ "$(fcgi_status "run/$socket.next.sock" GET /readyz)" = 200 ] || return 1
    done
}

take_over() {
    for socket in $(sockets_of "$1"); do mv -f "run/$socket.next.sock" "run/$socket.sock"; done
    mv -f "run/$1.next.pid" "run/$1.pid"
    say "$1: replaced, pid $(part_pid "$1")"
}

remove_successor() {
    if pid=$(pid_in "run/$1.next.pid" "$1"); then end_process "$1" "$pid" TERM || :; fi
    rm -f "run/$1.next.pid"
    for socket in $(sockets_of "$1"); do rm -f "run/$socket.next.sock"; done
}

# Puts the configuration as it should be beside the one in use, if it is another, and
# has nginx test it before anything is changed.
prepare_nginx() {
    rm -rf nginx.next
    part_runs nginx || return 0
    mkdir nginx.next || die "cannot write to $dir"
    render_nginx nginx.next || die "cannot write to $dir"
    if diff -r nginx nginx.next >/dev/null; then
        rm -r nginx.next
    else
        nginx -t -q -p ./ -e stderr -c nginx.next/nginx.conf || die "nginx does not take the configuration; all goes on as it was"
    fi
}

# Only where the configuration has changed: as its old workers end they close their
# clients' idle connections, and a request that is just on its way there is lost.
reload_nginx() {
    if [ -d nginx.next ]; then
        mv -f nginx.next/* nginx/
        rmdir nginx.next
        kill -s HUP "$(part_pid nginx)"
        say "nginx: has read its new configuration, pid $(part_pid nginx)"
    fi
}
