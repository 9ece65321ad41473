# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What scripts/check sees of Letterbox from outside, as a browser does: how long a first
# byte is on its way through all proxies, and whether one of them holds streams back or
# cuts what waits. Belongs to scripts/check, and uses http.sh.

# For how many seconds letterbox.js waits for the first byte of a stream before it polls.
held_back=5
# Whose mailbox it is; it goes afterwards.
probe=letterbox-check

streaming=
polling=
token=
end_of_url() {
    for pid in $streaming $polling; do kill "$pid" 2>/dev/null || :; done
    [ -n "$token" ] || return 0
    in_private "/tokens?user=$probe" --request DELETE >/dev/null
    in_private "/mailbox?user=$probe" --request DELETE >/dev/null
}

now() {
    date +%s%3N
}

in_seconds() {
    printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# within SECONDS COMMAND…: waits until the command succeeds; false if it never did.
within() {
    limit=$(($(now) + $1 * 1000))
    shift
    until "$@"; do
        [ "$(now)" -lt "$limit" ] || return 1
        sleep 0.02
    done
}

# A request to the private face; sets nothing, prints answer and status.
in_private() {
    (server=$private_url && http "$@" --max-time 10 --config /dev/fd/3 2>&1 3<<END
$(key_header)
END
    ) || :
}

# One to the site; $1 is path and query.
in_public() {
    (server=$url && http "$@" --config /dev/fd/3 2>&1 3<<END
$(identity)
END
    ) || :
}

# Who polls, as curl reads it.
identity() {
    if [ -n "$token" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$token"
    else
        bearer "$token_file"
    fi
}

# Sets as: what the query says of who polls. A token of its own if nobody names another identity.
take_identity() {
    as="client=check"
    if [ -n "$user" ]; then
        as="$as&user=$(encode "$user")"
        probe=$user
    elif [ -z "$token_file" ]; then
        split_reply "$(in_private /tokens --data "{\"user\":\"$probe\",\"ttl\":3600}")"
        token=$(printf '%s' "$answer" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
        [ -n "$token" ] || why_no_token=$(in_words)
    fi
}

look_at_url() {
    take_identity
    split_reply "$(in_public "/poll?$as&after=0&timeout=0" --max-time 20)"
    case $code in
        200) ;;
        401) find_that error "$url: nobody is let in: $answer. Give --token-file or --user${token:+, or let tokens in there}${why_no_token:+ (the private face gave no token: $why_no_token)}" && return ;;
        000 | '') find_that error "$url: $(server=$url in_words). See that the name leads here, that nginx listens, and the certificate" && return ;;
        404) find_that error "$url/poll is not found. Include letterbox-public.conf in the server of this name, or add the prefix to --url" && return ;;
        502 | 503 | 504) find_that error "$url/poll: status $code. Letterbox does not run, or nginx may not open its socket: look into nginx' error log" && return ;;
        *) find_that error "$url/poll: status $code. Something else answers there than Letterbox: look at what stands before it" && return ;;
    esac
    cursor=$(printf '%s' "$answer" | sed -n 's/.*"cursor":"\([^"]*\)".*/\1/p')
    if [ -z "$cursor" ]; then
        find_that error "$url/poll is answered by something else than Letterbox. Look at what stands before it"
        return
    fi
    find_that ok "$url/poll answers"
    ping=$(setting STREAM_PING)
    ping=${ping:-15}
    most=$(setting POLL_TIMEOUT_MAX)
    most=${most%.*}
    most=${most:-50}
    if [ -z "$longest" ] || [ "$longest" -gt "$most" ]; then longest=$most; fi
    # For how long a stream may be silent: an event between two pings makes the second needless.
    silence=$((${ping%.*} * 2))
    if open_stream; then
        look_at_delivery
        wait_for_poll
        look_at_silence
    else
        wait_for_poll
    fi
    look_at_private_routes
}

# Opens a stream into the file `stream`, its head into `head`. A proxy may compress it, as it
# may for a browser.
open_stream() {
    begun=$(now)
    : >"$place/stream"
    curl --silent --no-buffer --compressed --max-time $((longest + silence + 60)) --dump-header "$place/head" --output "$place/stream" \
        --config /dev/fd/3 "$url/events?$as&after=$cursor&timeout=$((longest + silence + 40 < 3600 ? longest + silence + 40 : 3600))" 3<<END &
$(identity)
END
    streaming=$!
    within "$held_back" test -s "$place/stream" || :
    took=$(($(now) - begun))
    code=$(sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$place/head" 2>/dev/null | tail -n 1)
    if [ -n "$code" ] && [ "$code" != 200 ]; then
        find_that error "$url/events: status $code. Pass /events on as /poll: letterbox-public.conf has both"
        return 1
    fi
    if ! grep -q '^\(retry\|id\|event\|data\|:\)' "$place/stream"; then
        find_that error "the first byte of a stream from $url was not there after $held_back s: something on the way holds it back, and browsers will poll. Switch buffering off there for /events (nginx: proxy_buffering off; a CDN: streaming), and let X-Accel-Buffering: no pass"
        return 1
    fi
    find_that ok "the first byte of a stream from $url came after $took ms"
}

# A message of its own, from push to stream.
look_at_delivery() {
    if [ -z "$token" ]; then
        find_that ok "no message was pushed, since the mailbox belongs to a user; without --token-file and --user the check makes one of its own"
        return
    fi
    # nginx may know by itself who asks, and then it is another mailbox.
    split_reply "$(in_public "/alive?client=check" --max-time 10)"
    case $answer in
        *"\"user\":\"$probe\""*) ;;
        *) find_that ok "no message was pushed: nginx names another user than the token" && return ;;
    esac
    begun=$(now)
    split_reply "$(in_private "/push?to=$probe" --data "$probe-$begun")"
    if [ "$code" != 201 ] && [ "$code" != 202 ]; then
        find_that error "a push at $private_url was refused: $(in_words)"
    elif within "$held_back" grep -q "$probe-$begun" "$place/stream"; then
        find_that ok "a message was in the stream $(($(now) - begun)) ms after its push"
    else
        find_that error "a message was not in the stream $held_back s after its push: something on the way to $url collects what is short. Switch buffering (and compression) off there for /events"
    fi
}

# The longest poll there may be: does it come back, or does a proxy cut it?
# (By a client of its own: the stream would end if another took its name.)
wait_for_poll() {
    as="client=check-poll${user:+&user=$(encode "$user")}"
    split_reply "$(in_public "/poll?$as&after=0&timeout=0" --max-time 20)"
    cursor=$(printf '%s' "$answer" | sed -n 's/.*"cursor":"\([^"]*\)".*/\1/p')
    begun=$(now)
    split_reply "$(in_public "/poll?$as&after=${cursor:-0}&timeout=$longest" --max-time $((longest + 20)))"
    took=$(in_seconds $(($(now) - begun)))
    case $code,$answer in
        200,*'"reason":"timeout"'*) find_that ok "a poll of $longest s came back after $took" ;;
        200,*) find_that ok "a poll came back after $took, before its $longest s, with a message" ;;
        000,* | ,*) find_that error "a poll of $longest s at $url was cut after $took. Raise the timeout of the proxy that did it above $longest s, or lower --poll-timeout-max" ;;
        *) find_that error "a poll of $longest s at $url ended after $took with status $code. Raise the timeout of the proxy that said so (nginx: proxy_read_timeout, fastcgi_read_timeout) above $longest s, or lower --poll-timeout-max" ;;
    esac
}

# By now the stream has been silent but for its pings.
look_at_silence() {
    within $((silence + held_back)) has_ping_or_ended || :
    if ! kill -0 "$streaming" 2>/dev/null; then
        find_that error "the stream from $url was cut while nothing came. Raise the timeout of what stands between above $silence s (twice --stream-ping), or lower that"
    elif has_ping; then
        find_that ok "the stream stands, and its pings come"
    else
        find_that error "the stream from $url stands, but its pings do not come: something on the way collects what is short. Switch buffering (and compression) off there for /events"
    fi
}

has_ping() {
    grep -q '^:' "$place/stream"
}

has_ping_or_ended() {
    has_ping || ! kill -0 "$streaming" 2>/dev/null
}

# From loopback all is open to this machine, as it should be.
look_at_private_routes() {
    case ${url#*://} in
        127.* | localhost* | \[::1\]*) return ;;
    esac
    # shellcheck disable=SC2030 # another server, for this request alone
    split_reply "$(server=$url && http '/users?limit=1' --max-time 10 2>&1)" || :
    case $code,$answer in
        200,*'"online"'*) find_that warning "$url/users answers this machine. Ask from another one, where it must be 403 or 404: curl -i $url/users" ;;
        *) find_that ok "$url/users does not answer here" ;;
    esac
}
