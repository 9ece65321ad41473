# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Replacing the programs of a running stack without a failed request. Belongs to
# stack.sh, whose names it uses.
#
# A successor is started beside the program that runs, on a socket of its own,
# run/poll.next.sock. Once it answers there, its socket is renamed to run/poll.sock:
# in one step, so that nginx, which connects by that path, finds either the one or the
# other. Then the old program is told to end. It still serves whoever has reached it,
# has nginx give up the connections that it keeps, and answers its parked polls.

restart_stack() {
    raise_limits
    choose_port
    prepare_nginx
    old=
    for part in $parts; do
        if ! pid=$(part_pid "$part") || { [ "$part" = redis ] && ! has_socket redis; }; then
            start_or_mend "$part"
        elif [ "$part" = poll ] || [ "$part" = push ]; then
            old="$old $part:$pid"
            start_successor "$part"
        fi
    done
    # What has begun is ended: half of it would be no good.
    trap '' HUP INT QUIT TERM
    for part in $old; do take_over "${part%:*}"; done
    successors=
    reload_nginx
    for part in $old; do end_process "${part%:*}" "${part#*:}" TERM || :; done
    take_down_on_exit
    see_it_ready
    start_extras
}

start_successor() {
    remove_successor "$1"
    successors="$successors $1"
    "start_$1" "$1.next" 9>&- || fail_with_log "$1" 'did not start anew, the old one goes on'
    within 10 successor_answers_or_died "$1" || die "the new $1 gives no proper answer, the old one goes on; its log is $dir/log/$1.log"
    pid_in "run/$1.next.pid" "$1" >/dev/null || fail_with_log "$1" 'did not start anew, the old one goes on'
}

successor_answers_or_died() {
    pid_in "run/$1.next.pid" "$1" >/dev/null || return 0
    [ "$(fcgi_status "run/$1.next.sock" GET /readyz)" = 200 ]
}

# fcgi_status SOCKET METHOD PATH: what the program behind a socket says, past nginx. cgi-fcgi sends
# its environment.
fcgi_status() {
    env -i "PATH=$PATH" "REQUEST_METHOD=$2" "PATH_INFO=$3" \
        timeout 5 cgi-fcgi -bind -connect "$1" </dev/null 2>/dev/null | sed -n '1s/^Status: \([0-9]*\).*/\1/p'
}

take_over() {
    mv -f "run/$1.next.sock" "run/$1.sock"
    if [ -S run/push.next.sock ] && [ -z "$apart" ]; then mv -f run/push.next.sock run/push.sock; fi
    mv -f "run/$1.next.pid" "run/$1.pid"
    say "$1: replaced, pid $(part_pid "$1")"
}

remove_successor() {
    if pid=$(pid_in "run/$1.next.pid" "$1"); then end_process "$1" "$pid" TERM || :; fi
    rm -f "run/$1.next.pid" "run/$1.next.sock"
    if [ -z "$apart" ]; then rm -f run/push.next.sock; fi
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
