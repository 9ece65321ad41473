# SPDX-License-Identifier: MIT
# `test -ef` and `ulimit -n` are younger than POSIX's shell, and in Debian's.
# shellcheck shell=sh disable=SC3013,SC3045
#
# The stack of scripts/run and scripts/service: Redis (one, or the six nodes of a cluster, whose
# parts are in cluster.sh), one program for both faces or two,
# kept running by multiwatch on sockets of spawn-fcgi, nginx, and the demo's worker, with
# every file they touch under one directory D. It is for development; with --programs there
# are the programs alone, for a server that has nginx and Redis already.
#   run/   sockets, pid files        log/    what each part says
#   redis/ the append-only file      nginx/  the configuration in use
#          (redis-1/ to redis-6/ those of a cluster)
#   tmp/   nginx's temporary files   jobs/   those of the demo's worker, and its cursor
# The caller sets `root` (the repository) and `me` (its name in messages), calls
# read_options, prepare and open_stack in this order, and then what it needs.
# Everything after open_stack runs inside D and names files relative to it, so that
# D may be of any length and hold any character.

# shellcheck source=scripts/lib/cluster.sh
. "$root/scripts/lib/cluster.sh"

# `yes` if the machine has nginx and Redis already, and a name in the query is not believed.
programs_alone=
# Set by find_way. Redis is the part `redis`, or if it is a cluster its nodes. One program, the
# part `poll`, serves both faces; two if they are apart.
servers=redis
parts='redis poll nginx'
apart=
cluster=
# What may be beside them, and ends without harm to them: the demo's worker, `jobs`, and the
# back end of its page /login, `login`.
extras=
# jobs goes first, while its users can still be told that the jobs were ended; then poll, while
# nginx still stands to carry its last answers; Redis last.
stop_order="jobs login poll nginx push redis $nodes"
# What this script has started itself, and beside what runs, to take its place.
started=
successors=

# nginx and redis-server may live where an ordinary user's PATH does not lead.
PATH=$PATH:/usr/sbin:/sbin

die() {
    echo "$me: $*" >&2
    exit 1
}

# That nobody listens any more (a closed terminal, a `| head`) is no reason to stop.
say() {
    echo "$*" 2>/dev/null || :
}
trap : PIPE

# --- options ------------------------------------------------------------------

# Sets dir, port (empty: not given), build (where the programs are), open, asked_apart and
# asked_cluster.
read_options() {
    dir=$root/var
    port=
    asked_cluster=
    while [ $# -gt 0 ]; do
        case $1 in
            --help | -h) usage && exit 0 ;;
            --version)
                # shellcheck source=scripts/lib/version.sh
                . "$(dirname -- "$(realpath -- "$0")")/lib/version.sh"
                ;;
            --port | --dir)
                [ $# -ge 2 ] || bad_usage "$1 needs a value"
                if [ "$1" = --port ]; then port=$2; else dir=$2; fi
                shift 2
                ;;
            --programs)
                [ "$me" = scripts/service ] || bad_usage "unknown argument '$1'"
                programs_alone=yes
                shift
                ;;
            --cluster) asked_cluster=yes && shift ;;
            --port=*) port=${1#*=} && shift ;;
            --dir=*) dir=${1#*=} && shift ;;
            *) bad_usage "unknown argument '$1'" ;;
        esac
    done
    case $port in
        *[!0-9]* | ??????*) bad_usage "--port takes a number from 1 to 65535, not '$port'" ;;
    esac
    if [ -n "$port" ] && { [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; }; then
        bad_usage "--port takes a number from 1 to 65535, not '$port'"
    fi
    [ -n "$dir" ] || bad_usage '--dir needs a value'

    if [ -n "$programs_alone" ] && [ -n "$port" ]; then bad_usage '--port is of nginx, which --programs leaves alone'; fi
    if [ -n "$programs_alone" ] && [ -n "$asked_cluster" ]; then
        bad_usage '--cluster is of Redis, which --programs leaves alone; LETTERBOX_REDIS=cluster:HOST:PORT,… says where it is'
    fi

    build=${LETTERBOX_BUILD:-build${SANITIZER:+/$SANITIZER}}
    case $build in /*) ;; *) build=$root/$build ;; esac
    # Installed below share/letterbox, the programs are in bin beside share.
    if [ -z "${LETTERBOX_BUILD-}" ] && [ ! -e "$root/Makefile" ]; then build=$root/../../bin; fi

    # Who may poll: anybody by any name, or only whom nginx vouches for.
    if [ "${LETTERBOX_OPEN:-${programs_alone:+0}}" = 0 ]; then open=''; else open=yes; fi

    # The pages' demo: a worker for long work, a back end for login, and a group that is told
    # who comes and goes. They let anybody have any name, and so does --open. Without that the
    # back end is there only if asked for: its users have tokens.
    if [ -n "$open" ] && [ -z "$programs_alone" ] && [ "${LETTERBOX_DEMO:-1}" != 0 ]; then
        extras='jobs login'
        export LETTERBOX_EVENTS_TO="${LETTERBOX_EVENTS_TO-group:watchers}"
    elif [ -z "$programs_alone" ] && [ "${LETTERBOX_DEMO:-0}" = 1 ]; then
        extras='login'
    fi

    # One program for both faces, or two.
    if [ "${LETTERBOX_APART:-0}" = 1 ]; then asked_apart=yes; else asked_apart=''; fi

    # Who may push: anybody, or only who shows the key in this file.
    case ${LETTERBOX_KEY_FILE-} in
        '' | /*) ;;
        *) LETTERBOX_KEY_FILE=$PWD/$LETTERBOX_KEY_FILE && export LETTERBOX_KEY_FILE ;;
    esac
}

bad_usage() {
    echo "$me: $*; see $me --help" >&2
    exit 2
}

# --- the directory ------------------------------------------------------------

open_stack() {
    mkdir -p -- "$dir" || die "cannot make the directory $dir"
    cd -- "$dir" || die "cannot enter the directory $dir"
    dir=$(pwd -P)
    mkdir -p run log redis nginx tmp jobs || die "cannot write to $dir"
    # A program that can open its socket owns this Redis.
    chmod 700 run
    find_way
}

# Whether one program runs or two, each for a face, and one Redis or a cluster; if neither runs,
# what was asked for.
find_way() {
    cluster=$asked_cluster
    if part_runs redis; then
        cluster=
    else
        for node in $nodes; do if part_runs "$node"; then cluster=yes; fi; done
    fi
    if part_runs push; then
        take_way yes
    elif ! pid=$(part_pid poll); then
        take_way "$asked_apart"
    elif tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qx -e --push-listen; then
        take_way ''
    else
        take_way yes
    fi
}

take_way() {
    apart=$1
    parts=poll${apart:+ push}
    if [ -n "$cluster" ]; then servers=$nodes; else servers=redis; fi
    if [ -z "$programs_alone" ]; then parts="$servers $parts nginx"; fi
}

# What has a socket in a part's name.
sockets_of() {
    case $1 in
        redis | push | login) echo "$1" ;;
        poll) if [ -n "$apart" ]; then echo poll; else echo poll push; fi ;;
    esac
}

# One start or stop at a time in a directory: two at once could put two Redis
# servers on the same append-only file. The descriptor is closed for what stays.
lock_stack() {
    exec 9>run/lock
    flock --nonblock 9 || die "another scripts/run or scripts/service is at work in $dir"
}

unlock_stack() {
    exec 9>&-
}

# Installs and builds, unless told that all is there (as the tests do).
prepare() {
    if [ "${LETTERBOX_SKIP_BUILD:-0}" != 1 ] && [ -z "$programs_alone" ]; then
        "$root/scripts/install-packages" build run
        make -C "$root" --no-print-directory -j"$(nproc)" \
            ${LETTERBOX_BUILD:+"BUILD=$LETTERBOX_BUILD"} all
    fi
    for program in letterbox-poll letterbox-push; do
        [ -x "$build/$program" ] || die "$build/$program is not there"
    done
}

# --- the parts ----------------------------------------------------------------

# Prints the pid of a part that runs; false if it does not. Of a program it is that of
# the multiwatch which keeps the program running: whatever ends that ends
# the part.
part_pid() {
    pid_in "run/$1.pid" "$1"
}

# pid_in FILE PART. A pid file says nothing by itself, since its number may long
# belong to another program: the process must be of the right program and live in
# this directory.
pid_in() {
    pid=$(cat "$1" 2>/dev/null) || return 1
    case $pid in '' | *[!0-9]*) return 1 ;; esac
    is_part "$2" "$pid" && [ "/proc/$pid/cwd" -ef "$(home_of "$2")" ] && echo "$pid"
}

# Whether a process is of a part's program. Neither a zombie nor a stranger's
# process has an exe that can be read.
is_part() {
    exe=$(readlink "/proc/$2/exe") || return 1
    exe=${exe% (deleted)}
    case $1:${exe##*/} in
        # Debian's redis-server is a link to redis-check-rdb: one binary, two names.
        redis*:redis-server | redis*:redis-check-rdb) ;;
        poll:letterbox-poll | push:letterbox-push | nginx:nginx) ;;
        poll:multiwatch | push:multiwatch)
            tr '\0' '\n' <"/proc/$2/cmdline" | grep -qx "run/letterbox-$1"
            ;;
        # Of scripts and what they call: known by what they were started with.
        jobs:* | login:*) tr '\0' '\n' 2>/dev/null <"/proc/$2/environ" | grep -qx "LETTERBOX_PART=$1" ;;
        *) return 1 ;;
    esac
}

home_of() {
    case $1 in redis*) echo "$1" ;; *) echo . ;; esac
}

part_runs() {
    part_pid "$1" >/dev/null
}

# Whether others can reach a part that runs: its socket's file may have been deleted. It
# still serves who is connected to it, but no program finds a socket without its file, and
# none can be given a new one.
has_socket() {
    [ -z "$(lost_socket "$1")" ]
}

# The path of the first whose file is gone.
lost_socket() {
    for socket in $(sockets_of "$1"); do
        if [ ! -S "run/$socket.sock" ]; then echo "$dir/run/$socket.sock" && break; fi
    done
}

any_part_runs() {
    for part in $parts; do
        if part_runs "$part"; then return 0; fi
    done
    return 1
}

# within SECONDS COMMAND…: waits for a command to succeed; false if it never did. By the
# clock, since on a busy machine a try may take longer than the pause between two.
within() {
    deadline=$(($(uptime_seconds) + $1))
    shift
    until "$@"; do
        [ "$(uptime_seconds)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

uptime_seconds() {
    read -r uptime _ </proc/uptime
    echo "${uptime%.*}"
}

# --- starting -----------------------------------------------------------------

# Starts what does not run or can't be reached, a line for each part, and returns when a
# request to each face has been answered, through nginx if that is a part. Where that
# fails it says why and exits; take_down then ends what it has started.
start_stack() {
    raise_limits
    choose_port
    start_servers
    for part in $parts; do
        case $part in redis*) ;; *) start_or_mend "$part" ;; esac
    done
    see_it_ready
    start_extras
}

# Redis, one or all nodes of the cluster.
start_servers() {
    if [ -n "$programs_alone" ]; then return; fi
    keep_kind
    if [ -n "$cluster" ]; then give_ports; fi
    for part in $servers; do start_or_mend "$part"; done
    if [ -n "$cluster" ]; then form_cluster; fi
}

# One Redis does not become a cluster while it runs, nor a cluster one Redis.
keep_kind() {
    if [ -n "$asked_cluster" ] && [ -z "$cluster" ]; then
        die "Redis runs in $dir, and is no cluster; to have one there: scripts/service stop --dir '$dir' first"
    fi
    asked_cluster=$cluster
}

raise_limits() {
    ulimit -n "$(ulimit -H -n)" 2>/dev/null || :
}

start_or_mend() {
    if ! pid=$(part_pid "$1"); then
        start_part "$1"
    elif has_socket "$1"; then
        say "$1: runs already, pid $pid"
    else
        say "$1: its socket is gone, so it is started again"
        stop_parts "$1" || :
        start_part "$1"
    fi
}

start_part() {
    end_strays "$1"
    if [ "$1" = poll ] && [ -z "$apart" ]; then end_strays push; fi
    remove_files "$1"
    started="$started $1"
    "start_${1%%-*}" "$1" 9>&- || fail_with_log "$1" 'did not start'
    say "$1: started, pid $(part_pid "$1")"
}

# Where an extra does not start all else goes on.
start_extras() {
    for part in $extras; do
        if pid=$(part_pid "$part") && has_socket "$part"; then
            say "$part: runs already, pid $pid"
            continue
        fi
        end_strays "$part"
        remove_files "$part"
        started="$started $part"
        if "start_$part" 9>&-; then
            say "$part: started, pid $(part_pid "$part")"
        else
            say "$part: did not start; all else runs. Its log is $dir/log/$part.log"
        fi
    done
}

see_it_ready() {
    if ! within 2 is_ready_or_dead; then
        say "waiting for $(whereabouts): $(readiness)"
        within 40 is_ready_or_dead ||
            die "no proper answer from $(whereabouts): $(readiness); the logs are in $dir/log"
    fi
    [ -z "$dead" ] || fail_with_log "$dead" 'ended at once'
}

readiness() {
    echo "the public face answers $(face_status poll), the private $(face_status push) (200: ready, 503: not yet, 000 or nothing: not at all)"
}

whereabouts() {
    if [ -n "$programs_alone" ]; then echo "the sockets in $dir/run"; else echo "http://127.0.0.1:$port"; fi
}

# The port asked for, else the one of a stack that runs at least in part, else
# 8080. It must be free where nginx is still to be started.
choose_port() {
    if [ -n "$programs_alone" ]; then return; fi
    current=
    if any_part_runs; then current=$(cat run/port); fi
    if part_runs nginx; then
        if [ "${port:-$current}" != "$current" ]; then
            die "nginx runs already, on port $current; to move it: scripts/service restart --port $port"
        fi
        port=$current
        return
    fi
    port=${port:-${current:-8080}}
    end_strays nginx
    port_is_free "$port" || die "port $port is taken by another program; choose one with --port N"
    echo "$port" >run/port
}

port_is_free() {
    # 7 is "connection refused". Any other outcome means that a program listens.
    outcome=0
    curl --silent --noproxy '*' --max-time 2 --output /dev/null "http://127.0.0.1:$1/" || outcome=$?
    [ "$outcome" = 7 ]
}

# start_redis PART: `redis`, or a node of the cluster.
start_redis() {
    name=$1
    if [ "$name" = redis ]; then
        set -- --port 0 --unixsocket ../run/redis.sock --unixsocketperm 700
    else
        # Slots whose master is away are refused alone, and not all that the others have.
        set -- --bind 127.0.0.1 --port "$(node_port "$name")" \
            --cluster-enabled yes --cluster-node-timeout "$node_timeout" --cluster-require-full-coverage no \
            --repl-diskless-sync-delay 0
    fi
    # Its working directory is where its data goes, hence the ../
    (
        cd "$name" && exec redis-server --daemonize yes "$@" \
            --pidfile "../run/$name.pid" --logfile "../log/$name.log" \
            --appendonly yes --save ''
    ) || return 1
    within 20 part_runs "$name" || return 1
    if ! within 5 redis_answers_or_died "$name"; then
        # With much to load from its file it may be long before it does.
        say "$name: waiting for it to answer; it says: $redis_says"
        within 600 redis_answers_or_died "$name" || return 1
    fi
    part_runs "$name"
}

redis_answers_or_died() {
    redis_says=$(redis_cli "$1" ping 2>&1) || :
    [ "$redis_says" = PONG ] || ! part_runs "$1"
}

# redis_cli PART COMMAND…
redis_cli() {
    if [ "$1" = redis ]; then
        place='-s run/redis.sock'
    else
        place="-p $(node_port "$1")"
    fi
    shift
    # shellcheck disable=SC2086 # an option and its value
    timeout 5 redis-cli $place "$@"
}

redis_address() {
    if [ -n "$cluster" ]; then cluster_address; else echo unix:run/redis.sock; fi
}

# start_poll NAME, start_push NAME: what the files in run/ are called; the part's own
# name, but for a successor (see replace.sh).
start_poll() {
    spawn "$1" poll ${open:+--open}
}

start_push() {
    spawn "$1" push
}

# spawn-fcgi opens the socket, hands it over as descriptor 0 and writes the pid. It
# sends stderr to /dev/null, which would swallow a crash and a sanitizer's report:
# the shell in between puts it into the log, and becomes multiwatch by exec, so that
# the pid stays right.
#
# A program for both faces has two of them. The outer one's socket is the private
# face's, which the shell keeps as descriptor 3; the inner one, which does not fork (-n),
# puts the public face's in its place.
#
# multiwatch starts the program again when it has died, on the same sockets, where
# requests wait meanwhile. A life of less than two seconds is a failed start, and
# after the eleventh in a row it gives up, says so in the log, and ends. Told to end
# it sends the program SIGUSR1 (and Debian's, given --signal=TERM, SIGQUIT). Its own
# arguments must be ASCII, hence the link to the program.
spawn() {
    name=$1
    part=$2
    shift 2
    ln -sfn "$build/letterbox-$part" "run/letterbox-$part" || return 1
    # A variable that speaks of another Redis is not meant for a stack that has its own.
    unset_variables='-u LETTERBOX_LISTEN -u LETTERBOX_PUSH_LISTEN -u LETTERBOX_OPEN'
    if [ -z "$programs_alone" ]; then
        set -- --redis "$(redis_address)" "$@"
        unset_variables="$unset_variables -u LETTERBOX_REDIS_USER -u LETTERBOX_REDIS_PASSWORD_FILE"
    fi
    set -- multiwatch --timeout=2000 --retry=10 -- \
        "run/letterbox-$part" --log "log/$part.log" "$@"
    outer=$name
    keep=
    if [ "$part" = poll ] && [ -z "$apart" ]; then
        outer=push${name#poll}
        keep='exec 3<&0; '
        # shellcheck disable=SC2016 # $@ is that of the inner shell, which looks in PATH
        set -- spawn-fcgi -n -s "run/$name.sock" -M 0660 -b 4096 -- /bin/sh -c 'exec "$@"' sh "$@" --push-listen fd:3
    fi
    # shellcheck disable=SC2016,SC2086 # $@ and $0 are those of the inner shell; a list of words
    env $unset_variables \
        spawn-fcgi -s "run/$outer.sock" -M 0660 -b 4096 -P "run/$name.pid" -- \
        /bin/sh -c "$keep"'exec "$@" 2>>"$0"' "log/$part.log" "$@" \
        >/dev/null || return 1
    within 20 pid_in "run/$name.pid" "$part" >/dev/null
}

# As spawn does it, but there is no socket. In a session of its own it outlives this script.
start_jobs() {
    ln -sfn "$root/scripts/demo-jobs" run/letterbox-jobs || return 1
    env LETTERBOX_PART=jobs "TMPDIR=$dir/jobs" "XDG_STATE_HOME=$dir/jobs" no_proxy=127.0.0.1 \
        setsid multiwatch --timeout=2000 --retry=10 -- run/letterbox-jobs --url "http://127.0.0.1:$port" \
        </dev/null >>log/jobs.log 2>&1 &
    echo "$!" >run/jobs.pid
    within 20 part_runs jobs
}

# The back end of the page /login, likewise. It opens its socket itself.
start_login() {
    ln -sfn "$root/nginx/www/login.py" run/letterbox-login || return 1
    env LETTERBOX_PART=login no_proxy=127.0.0.1 \
        setsid multiwatch --timeout=2000 --retry=10 -- run/letterbox-login run/login.sock "http://127.0.0.1:$port" \
        </dev/null >>log/login.log 2>&1 &
    echo "$!" >run/login.pid
    within 20 part_runs login && within 20 has_socket login
}

# Whether multiwatch has given up on a part.
gave_up() {
    ! part_runs "$1" && tail -n 1 "log/$1.log" 2>/dev/null | grep -q 'not forking again$'
}

start_nginx() {
    # Its workers are the invoking user, since D may be out of reach for other users
    # (below /root, say). To say so takes root, and for all others it goes without
    # saying. A server that faces the world keeps a user of its own.
    if [ "$(id -u)" = 0 ]; then user='user root;'; else user=; fi
    render_nginx nginx || return 1
    # Not by the directory's name: in an include's, nginx would take [ and * for patterns.
    nginx -p ./ -e log/nginx.log -c nginx/nginx.conf ${user:+-g "$user"} || return 1
    within 20 part_runs nginx
}

# render_nginx FOLDER: the configuration of the repository, with this port, the
# sockets in D, and as many connections as a worker may have open. The pages stay
# where they are, and have a link there: their path may hold what nginx can't read.
render_nginx() {
    connections=$(ulimit -n)
    case $connections in ??????*) connections=65536 ;; esac # or "unlimited"
    for file in "$root"/nginx/*.conf; do
        sed -e "s|listen 127\.0\.0\.1:8080|listen 127.0.0.1:$port|" \
            -e "s|worker_connections [0-9]*;|worker_connections $connections;|" \
            -e "s|unix:/run/letterbox/|unix:run/|" \
            -e "s|/run/letterbox-whoami|tmp/whoami|" \
            -e "s|root /usr/local/share/letterbox/|root |" \
            -e "s|include /usr/local/share/letterbox/nginx/|include |" \
            "$file" >"$1/${file##*/}" || return 1
    done
    ln -sfn "$root/nginx/www" "$1/www"
}

# Sets dead to a part that does not run, if there is one.
is_ready_or_dead() {
    for part in $parts; do
        dead=$part
        part_runs "$part" || return 0
    done
    dead=
    is_ready
}

# Both faces, and Redis behind them.
is_ready() {
    [ "$(face_status poll)" = 200 ] && [ "$(face_status push)" = 200 ]
}

# What the face whose socket has this name says, through nginx if that is a part.
face_status() {
    if [ -n "$programs_alone" ]; then
        fcgi_status "run/$1.sock" GET /readyz # of replace.sh, which scripts/service has
    elif [ "$1" = poll ]; then
        http_status /readyz/poll
    else
        http_status /readyz
    fi
}

http_status() {
    curl --silent --noproxy '*' --max-time 5 --output /dev/null --write-out '%{http_code}' \
        "http://127.0.0.1:$port$1"
}

fail_with_log() {
    if [ -f "log/$1.log" ] && [ -s "log/$1.log" ]; then
        echo "--- the end of $dir/log/$1.log:" >&2
        tail -n 5 "log/$1.log" >&2
        echo '---' >&2
    fi
    if gave_up "$1"; then set -- "$1" "$2, again and again, and is not started any more"; fi
    die "$1 $2; its log is $dir/log/$1.log"
}

announce() {
    if [ -n "$programs_alone" ]; then
        say "ready, for an nginx whose workers are $(id -un): $dir/run/poll.sock and $dir/run/push.sock"
        if [ -n "$open" ]; then say 'Identity is open (--open): every client that reaches /poll may poll as any user.'; fi
        say "All files are in $dir, logs in $dir/log."
        return
    fi
    say "ready http://127.0.0.1:$port"
    say
    say "  curl 'http://127.0.0.1:$port/poll?user=alice'"
    say "  curl -d 'hello' 'http://127.0.0.1:$port/push?to=alice'"
    say
    if [ -n "$open" ]; then
        say "Or in a browser: http://127.0.0.1:$port/"
        say "Identity is open (--open): every client that reaches 127.0.0.1:$port may poll as any user."
    elif [ -n "$extras" ]; then
        say "Or in a browser: http://127.0.0.1:$port/login"
    fi
    say "All files are in $dir, logs in $dir/log."
}

# --- stopping -----------------------------------------------------------------

stop_stack() {
    # shellcheck disable=SC2086 # a list of names
    stop_parts $stop_order
}

# For a trap on EXIT: stops what this script has started, whatever ended it.
take_down() {
    status=$?
    set +e
    trap - EXIT
    trap '' HUP INT QUIT TERM
    for part in $successors; do remove_successor "$part"; done
    find_way
    for part in $stop_order; do
        case " $started " in *" $part "*) stop_parts "$part" || status=1 ;; esac
    done
    exit "$status"
}

take_down_on_exit() {
    trap take_down EXIT
    trap 'exit 1' HUP INT QUIT TERM
}

keep_on_exit() {
    trap - EXIT HUP INT QUIT TERM
}

# False if one of them had to be killed.
stop_parts() {
    outcome=0
    for name in "$@"; do
        if pid=$(part_pid "$name"); then
            stop_part "$name" "$pid" || outcome=1
        else
            case " $parts $extras " in *" $name "*) say "$name: was not running" ;; esac
        fi
        end_strays "$name"
        remove_files "$name"
    done
    return "$outcome"
}

remove_files() {
    rm -f "run/$1.pid" "run/$1.next.pid" "run/letterbox-$1"
    for socket in $(sockets_of "$1"); do rm -f "run/$socket.sock" "run/$socket.next.sock"; done
    if [ "$1" = jobs ]; then rm -rf jobs/tmp.*; fi
}

stop_part() {
    # nginx's QUIT lets answers that are under way finish.
    if [ "$1" = nginx ]; then signal=QUIT; else signal=TERM; fi
    end_process "$1" "$2" "$signal" || return 1
    say "$1: stopped"
}

# end_process PART PID SIGNAL. Where that does not end it, it and its children are
# killed; the outcome is then false.
end_process() {
    kill -s "$3" "$2" 2>/dev/null || :
    if within 10 has_ended "$2"; then return 0; fi
    # shellcheck disable=SC2046 # a list of pids
    kill -s KILL "$2" $(cat "/proc/$2/task/$2/children" 2>/dev/null) 2>/dev/null || :
    within 10 has_ended "$2" || :
    echo "$1: did not stop within 10 s and was killed; its log is $dir/log/$1.log" >&2
    return 1
}

# Gone, or dead and only waiting to be collected by its parent.
has_ended() {
    ! readlink "/proc/$1/exe" >/dev/null
}

# Ends what is of a part and in no pid file: nginx's workers outlive a master that
# was killed, and go on listening; and a start that was interrupted may be older than
# its pid file.
end_strays() {
    [ -d "$(home_of "$1")" ] || return 0
    # shellcheck disable=SC2044 # /proc/123/cwd has nothing in it that a shell would split
    for home in $(find -L /proc/[0-9]*/cwd -maxdepth 0 -samefile "$(home_of "$1")" 2>/dev/null); do
        stray=${home#/proc/}
        stray=${stray%/cwd}
        is_part "$1" "$stray" || continue
        kill -s TERM "$stray" 2>/dev/null || continue
        if within 5 has_ended "$stray"; then continue; fi
        kill -s KILL "$stray" 2>/dev/null || :
        within 5 has_ended "$stray" || :
    done
}
