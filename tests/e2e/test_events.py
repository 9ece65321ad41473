# SPDX-License-Identifier: MIT
"""GET /events: what a stream gives, what it acknowledges, how it ends; and POST /ack."""

import json
import os
import signal
import time

import pytest

from expect import data, is_accepted, is_error, seq
from keys import key
from streams import Stream, stand
from test_health import figure
from test_limits import count
from test_tokens import bearer, issued, post
from waits import eventually, moment
from web import target


def acknowledged(stack, user, client=""):
    """The SEQ that a client has acknowledged."""
    return {one["client"]: seq(one["cursor"]) for one in stack.mailbox(user)["clients"]}.get(client)


def ack(stack, user, after, headers=(), **query):
    return stack.request("POST", target("/ack", user=user, after=after, **query), headers)


# --- what a stream gives ---------------------------------------------------------------------------


def test_head(stack, user):
    """a stream is 200 text/event-stream of unknown length that no proxy may keep, and begins with retry and its position"""
    stream = stand(stack, user)
    assert stream.header("Content-Type") == "text/event-stream"
    assert stream.header("Content-Length") is None and stream.header("Content-Encoding") is None
    assert stream.header("Cache-Control") == "no-store" and stream.header("X-Accel-Buffering") == "no"
    assert stream.header("X-Content-Type-Options") == "nosniff"
    first = stream.next()
    assert 1000 <= first.retry < 3000
    assert first.type == "letterbox.position" and first.id == "0" and first.json == {"cursor": "0"}


def test_messages(stack, user):
    """messages come at once, in order, each with its id and type, and a message of the type "message" without one"""
    stream = stand(stack, user)
    first = stack.pushed(user, "one")
    event = stream.event()
    assert event.id == first and event.type is None
    assert event.json.keys() == {"id", "type", "data", "time"} and event.json["data"] == "one"
    stack.push_json('{"n": [1, 2.50]}', to=user, type="mail")
    event = stream.event()
    assert event.type == "mail" and event.json["data"] == {"n": [1, 2.5]} and seq(event.id) == 2
    for i in range(200):
        stack.pushed(user, str(i))
    assert stream.messages(200) == [str(i) for i in range(200)]


def test_many_at_once(stack, user):
    """messages that several programs push at once come in the order of their ids, each once"""
    stream = stand(stack, user)
    connections = [stack.connect() for _ in range(8)]
    for i in range(40):
        for connection in connections:
            connection.request("POST", target("/push", to=user), [], str(i).encode())
        for connection in connections:
            is_accepted(connection.receive())
    assert [seq(stream.event().id) for _ in range(320)] == list(range(1, 321))
    for connection in connections:
        connection.close()


def test_backlog(stack, user):
    """a stream from 0 begins with all messages that are kept, then goes on with new ones"""
    for i in range(250):
        stack.pushed(user, str(i))
    stream = Stream(stack, user, after=0)
    assert stream.messages(250) == [str(i) for i in range(250)]
    stack.pushed(user, "new")
    assert stream.messages(1) == ["new"]


def test_raw(stack, user):
    """with format=raw data is the text itself, line by line, and anything else as JSON"""
    stream = stand(stack, user, format="raw")
    texts = ["hello", "", "two\nlines", "a\r\nb\rc", "\n", "trailing\n", ' "quoted" \\ é😀', ":comment", "<turbo-stream></turbo-stream>"]
    for text in texts:
        stack.push_json(json.dumps(text), to=user)
    for text in texts:
        assert stream.event().data == text.replace("\r\n", "\n").replace("\r", "\n")
    stack.push_json('{"a": [1, null]}', to=user, type="mail")
    event = stream.event()
    assert event.type == "mail" and event.data == '{"a":[1,null]}' and seq(event.id) == len(texts) + 1


def test_types(stack, user):
    """a type goes through as it is, whatever its characters; types that begin like Letterbox's own are refused"""
    stream = stand(stack, user)
    for kind in ("a: b", 'say "x"', "back\\slash", "é😀"):
        is_accepted(stack.push(user, "x", type=kind))
        assert stream.event().type == kind
    assert is_error(stack.push(user, "x", type="letterbox.end"), 400, "bad_type")
    answer = stack.push_json(json.dumps([{"to": user, "type": "letterbox.x", "data": 1}]))
    assert answer.status == 400 and answer.json["results"][0]["error"]["code"] == "bad_type"


def test_expired(stack, user):
    """an expired message is not given, and is told as missed"""
    stack.pushed(user, "before")
    stack.pushed(user, "short", ttl=0.05)
    stack.pushed(user, "behind")
    eventually(lambda: stack.mailbox(user)["queued"] == 2, "it has expired")
    stream = Stream(stack, user, after=0)
    event = stream.event()
    assert event.type == "letterbox.missed" and event.json == {"missed": 1}
    assert stream.messages(2) == ["before", "behind"]


def test_foreign_cursor(stack, user):
    """a cursor that Letterbox has not issued is a reset, told once, and the stream begins with the oldest"""
    stack.pushed(user, "kept")
    stream = Stream(stack, user, after="no-cursor")
    event = stream.event()
    assert event.type == "letterbox.reset" and event.json == {}
    assert stream.messages(1) == ["kept"]
    stack.has_polls(user, 1)
    stack.pushed(user, "new")
    assert stream.messages(1) == ["new"]


# --- where a stream begins, and what it acknowledges -----------------------------------------------


def test_last_event_id(stack, user):
    """a stream goes on after Last-Event-ID, which counts before after="""
    ids = [stack.pushed(user, str(i)) for i in range(4)]
    stream = Stream(stack, user, [("Last-Event-ID", ids[2])], after=0)
    assert stream.messages(1) == ["3"]
    assert acknowledged(stack, user) == 3


def test_now(stack, user):
    """after=now begins after the newest message, and the stream tells its id"""
    newest = [stack.pushed(user, "old") for _ in range(3)][-1]
    stream = stand(stack, user, after="now")
    assert stream.next().id == newest
    stack.pushed(user, "new")
    assert stream.messages(1) == ["new"]


def test_without_cursor(stack, user):
    """without a cursor a stream of a new client begins with the oldest message, of a known client after its acknowledgement: writing acknowledges nothing"""
    ids = [stack.pushed(user, str(i)) for i in range(3)]
    for _ in range(2):
        stream = stand(stack, user)
        assert stream.messages(3) == ["0", "1", "2"]
        assert acknowledged(stack, user) == 0
        stream.close()
        stack.has_polls(user, 0)
    assert ack(stack, user, ids[1]).status == 200
    stream = stand(stack, user)
    assert stream.messages(1) == ["2"] and stream.seen[0].id == ids[1]


def test_lost_on_the_way(stack, user):
    """a message that was written to a stream and never taken comes again to a client that returns with the id before it"""
    stream = stand(stack, user, after=0)
    first = stack.pushed(user, "one")
    assert stream.messages(1) == ["one"]
    for i in range(5):
        stack.pushed(user, str(i))
    stream.reset()
    stack.has_polls(user, 0)
    stream = Stream(stack, user, [("Last-Event-ID", first)])
    assert stream.messages(5) == [str(i) for i in range(5)]


def test_ack(stack, user):
    """POST /ack acknowledges while the stream goes on, also messages that the stream does not know as written, and makes room"""
    stream = stand(stack, user, client="tab", after=0)
    ids = [stack.pushed(user, str(i)) for i in range(5)]
    stream.messages(5)
    assert ack(stack, user, ids[3], client="tab").json == {"acknowledged": ids[3]}
    eventually(lambda: acknowledged(stack, user, "tab") == 4 and stack.mailbox(user)["queued"] == 1, "it counts")
    assert stack.mailbox(user)["polls"] == 1
    # An older acknowledgement changes nothing, and the stream gives nothing twice.
    assert ack(stack, user, ids[1], client="tab").status == 200
    stack.pushed(user, "new")
    assert stream.messages(1) == ["new"]
    stream.close()
    assert acknowledged(stack, user, "tab") == 4


def test_ack_of_who_is_away(stack, user):
    """POST /ack of a client without a stream counts as well"""
    ids = [stack.pushed(user, str(i)) for i in range(3)]
    assert stack.look(user, client="tab", after=0)["count"] == 3
    assert ack(stack, user, ids[1], client="tab").status == 200
    eventually(lambda: acknowledged(stack, user, "tab") == 2, "it counts")


@pytest.mark.parametrize("after", [None, "", "0", "x", "1-0", "12-"])
def test_bad_ack(stack, user, after):
    """an acknowledgement that names no message is refused"""
    assert is_error(ack(stack, user, after), 400, "bad_request")


def test_poll_after_stream(stack, user):
    """a poll without a cursor goes on after the messages that the client's stream has acknowledged"""
    stream = stand(stack, user, after=0)
    ids = [stack.pushed(user, str(i)) for i in range(3)]
    stream.messages(3)
    assert ack(stack, user, ids[0]).status == 200
    stream.close()
    stack.has_polls(user, 0)
    assert data(stack.look(user)) == ["1", "2"]


def test_two_clients(stack, user):
    """streams and polls of several clients each get everything"""
    first, second = stand(stack, user, client="a"), stand(stack, user, beside=1, client="b")
    poll = stack.park(user, beside=2, client="c", after=0)
    stack.pushed(user, "hello")
    assert first.messages(1) == second.messages(1) == data(poll.answer()) == ["hello"]


def test_many_end_it(stack, user):
    """a stream that was given hundreds of messages ends in good order, and the next one goes on from there"""
    stream, got = stand(stack, user), []
    for i in range(700):
        stack.pushed(user, str(i))
    while len(got) < 700:
        event = stream.event()
        if event.type == "letterbox.end":
            assert event.json["reason"] == "timeout" and stream.next() is None
            stream = Stream(stack, user, [("Last-Event-ID", stream.position)])
        else:
            got.append(event.json["data"])
    assert got == [str(i) for i in range(700)]
    assert acknowledged(stack, user) >= 500


# --- how a stream ends -----------------------------------------------------------------------------


def test_timeout(stack, user):
    """a stream ends when its time is up, by an event that says that and when to come back"""
    stream = stand(stack, user, timeout=1)
    assert stream.end() == "timeout"
    assert 0 < stream.retry <= 250


@pytest.mark.parametrize("timeout", ["0", "0.9", "3601", "x", "-1", "1e3"])
def test_bad_timeout(stack, user, timeout):
    """a life of less than a second or more than an hour is refused by its status"""
    assert is_error(stack.get("/events", user=user, timeout=timeout), 400, "bad_timeout")


def test_bad_format(stack, user):
    """an unknown format is refused"""
    assert is_error(stack.get("/events", user=user, format="xml"), 400, "bad_request")


def test_head_is_refused(stack, user):
    """HEAD of a stream is 405"""
    assert stack.request("HEAD", target("/events", user=user)).status == 405


@pytest.mark.parametrize("older, newer", [("stream", "stream"), ("stream", "poll"), ("poll", "stream")])
def test_superseded(stack, user, older, newer):
    """a stream and a poll of one client supersede each other"""
    first = stand(stack, user, after=0) if older == "stream" else stack.park(user, after=0)
    eventually(lambda: stack.mailbox(user)["clients"][0]["seen_ms_ago"] > 1200, "it has waited for a while")
    second = Stream(stack, user, after=0) if newer == "stream" else stack.send_poll(user, after=0)
    if older == "stream":
        assert first.end() == "superseded" and first.retry >= 1000
    else:
        assert first.answer()["reason"] == "superseded"
    stack.pushed(user, "hello")
    assert (second.messages(1) if newer == "stream" else data(second.answer())) == ["hello"]


def test_kicked(stack, user):
    """a kick ends a stream, and a client that comes again is told to stop by 204"""
    stream = stand(stack, user)
    assert post(stack, "/users/kick", user=user).status == 200
    assert stream.end() == "kicked"
    answer = stack.get("/events", user=user)
    assert answer.status == 204 and answer.body == b""


def test_locked(stack, user):
    """a lock ends a stream, and a client that comes again is refused by a status"""
    stream = stand(stack, user)
    assert post(stack, "/users/lock", user=user).status == 200
    assert stream.end() == "kicked"
    assert is_error(stack.get("/events", user=user), 403, "locked")


def test_token_ends(stack, user):
    """a stream ends with its token, which is then refused by a status"""
    token = issued(stack, user, ttl=1)["token"]
    stream = Stream(stack, None, bearer(token))
    assert stream.end() == "kicked"
    eventually(lambda: stack.get("/events", bearer(token), timeout=1).status == 401, "the token is no good")


def test_revoked(stack, user):
    """a token that is revoked ends its stream"""
    token = issued(stack, user)
    stream = Stream(stack, None, bearer(token["token"]))
    stack.has_polls(user, 1)
    assert stack.request("DELETE", target("/tokens", id=token["id"])).json == {"revoked": 1}
    assert stream.end() == "kicked"


def test_nobody(new_stack):
    """a stream without an identity is refused by 401"""
    stack = new_stack(open=0)
    assert is_error(stack.get("/events"), 401, "no_identity")


def test_shutdown(private_stack):
    """SIGTERM ends each stream in good order, and the clients are told to come back soon, at different moments"""
    stack = private_stack
    streams = [stand(stack, f"user{i}") for i in range(5)]
    stack.kill("poll")
    stack.crashes = True
    assert [stream.end() for stream in streams] == ["shutdown"] * 5
    assert all(stream.retry >= 100 for stream in streams)


def test_killed(private_stack, user):
    """a program that is killed cuts its streams, and a client that comes back with the last id has lost nothing"""
    stack = private_stack
    stream = stand(stack, user)
    first = stack.pushed(user, "one")
    assert stream.messages(1) == ["one"]
    stack.crash("poll")
    assert stream.is_cut()
    stack.pushed(user, "two")
    stream = Stream(stack, user, [("Last-Event-ID", first)])
    assert stream.messages(1) == ["two"]


# --- a passing error is no status ------------------------------------------------------------------


def passes(answer, reason):
    """A stream that ends at once, and says when to come back."""
    assert answer.status == 200 and answer.header("Content-Type").startswith("text/event-stream"), answer
    retry, event, data, _ = answer.body.decode().splitlines()
    said = json.loads(data.removeprefix("data: "))
    assert event == "event: letterbox.end" and said["reason"] == reason, answer
    assert retry == f"retry: {said['retry_after_ms']}" and said["retry_after_ms"] >= 1000, answer
    return True


def test_program_away(private_stack, user):
    """while the program is away nginx answers with 200, retry and an end"""
    private_stack.end("poll")
    assert passes(private_stack.get("/events", user=user), "away")


@pytest.mark.one_redis
def test_redis_away(private_stack, user):
    """while Redis is away an open stream goes on, and a new one is told when to come back"""
    stack = private_stack
    stream = stand(stack, user)
    pid = stack.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: passes(stack.get("/events", user=user, client="new"), "store_unavailable"), "it is away")
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: stack.push(user, "back").status in (201, 202), "Redis is back")
    assert stream.event().json["data"] == "back"


def test_too_many(new_stack, users):
    """if as many polls wait as may, a stream is told when to come back, and one that leaves makes room"""
    stack = new_stack(max_parked=2)
    first, second, third = users(3)
    streams = [stand(stack, user) for user in (first, second)]
    assert passes(stack.get("/events", user=third), "overloaded")
    streams[0].close()
    stack.has_polls(first, 0)
    stand(stack, third)


def test_too_many_clients(new_stack, user):
    """one client more than a user may have is told when to come back"""
    stack = new_stack(clients_max=1)
    first = stand(stack, user, client="a")
    assert passes(stack.get("/events", user=user, client="b"), "too_many_clients")
    first.close()


def test_limited(private_stack, user):
    """with nginx' limits, a client that asks for more than it may is told when to come back"""
    stack = private_stack
    count(stack)
    stack.change_nginx("limits-poll.conf", r"letterbox_by_user    100", "letterbox_by_user 1")
    stack.add_nginx("letterbox-poll.conf", "include limits-poll.conf;")
    stack.reload_nginx()
    first = stand(stack, user, client="a")
    assert passes(stack.get("/events", user=user, client="b"), "away")
    first.close()


# --- silence, slowness, presence -------------------------------------------------------------------


def test_ping(new_stack, user):
    """a stream to which nothing is written gets a comment now and then"""
    stack = new_stack(stream_ping=0.1)
    stream = stand(stack, user)
    stream.next()
    with pytest.raises(TimeoutError):  # comments end no event, and nothing else comes
        stream.next(1)
    assert stream.text.count(b":\n") >= 3
    stack.pushed(user, "hello")
    event = stream.event()
    assert event.json["data"] == "hello" and event.comments >= 3


def test_gone(stack, user):
    """a client that goes away is noticed at once, and its place is free"""
    stream = stand(stack, user)
    stream.close()
    stack.has_polls(user, 0)


def test_kept_connection(stack, user):
    """a client's connection and nginx' connection to the program go on after a stream that has ended"""
    stream = stand(stack, user, timeout=1)
    assert stream.end() == "timeout"
    answer = stream.exchange("GET", target("/poll", user=user, timeout=0))
    assert answer.status == 200


def test_slow(new_stack, user):
    """the stream of a client that does not read ends as slow, is counted, and the client gets everything when it returns; others don't wait for it"""
    stack = new_stack(workers=1)
    slow = stand(stack, user, client="slow", after=0)
    quick = stand(stack, user, beside=1, client="quick", after=0)
    text, count = "x" * 100_000, 0
    # (How much the sockets on the way hold is up to the system.)
    while figure(stack, "poll", "letterbox_polls_ended_total", reason="slow") == 0:
        stack.pushed(user, f"{count} {text}")
        assert quick.messages(1) == [f"{count} {text}"]
        count += 1
        assert count < 400
    got = []
    while True:
        event = slow.event()
        if event.type == "letterbox.end":
            assert event.json["reason"] == "slow"
            break
        got.append(event.json["data"])
    again = Stream(stack, user, [("Last-Event-ID", slow.position)], client="slow")
    got += again.messages(count - len(got))
    assert [int(text.split()[0]) for text in got] == list(range(count))


def test_slow_backlog(new_stack, user):
    """a client gets a full mailbox as fast as it reads, and does not count as slow; the program holds one portion of it"""
    stack = new_stack(workers=1)
    for i in range(100):
        stack.pushed(user, f"{i} " + "x" * 100_000)
    stream = Stream(stack, user, after=0)
    moment(0.3)  # the client takes nothing, for less time than counts as slow
    assert [int(text.split()[0]) for text in stream.messages(100)] == list(range(100))
    stack.pushed(user, "new")
    assert stream.messages(1) == ["new"]


def test_presence(new_stack, user):
    """a user is online while one of its streams is open, and soon offline when it has gone"""
    stack = new_stack(stream_ping=2)
    stream = stand(stack, user)

    def online():
        return stack.get("/users", user=user).json["online"]

    eventually(online, "it is online")
    end = time.monotonic() + 8  # longer than the six seconds first noted
    while time.monotonic() < end:
        assert online()
        moment(0.1)
    stream.close()
    eventually(lambda: not online(), "it is offline")


def test_metrics(stack, user):
    """streams are counted among the polls, and their route by its status"""
    stream = stand(stack, user)
    assert figure(stack, "poll", "letterbox_polls_parked") >= 1 and figure(stack, "poll", "letterbox_streams") >= 1
    assert figure(stack, "poll", "letterbox_requests_total", method="GET", route="/events", code="200") >= 1
    before = figure(stack, "poll", "letterbox_delivered_messages_total")
    stack.pushed(user, "hello")
    stream.messages(1)
    assert figure(stack, "poll", "letterbox_delivered_messages_total") >= before + 1


def test_other_sites(new_stack, user):
    """a page of a named site may read a stream"""
    stack = new_stack(origin="https://app.example")
    stream = Stream(stack, user, [("Origin", "https://app.example")])
    assert stream.header("Access-Control-Allow-Origin") == "https://app.example"


def test_reload(private_stack, user):
    """nginx is reloaded under a stream: it goes on, and new ones come to the new workers"""
    stack = private_stack
    stack.change_nginx("nginx.conf", "worker_shutdown_timeout 3s", "worker_shutdown_timeout 60s")
    stack.reload_nginx()
    stream = stand(stack, user, client="old")
    stack.reload_nginx()
    other = stand(stack, user, beside=1, client="new")
    stack.pushed(user, "hello")
    assert stream.messages(1) == other.messages(1) == ["hello"]
    stream.close()
    other.close()


def test_lane(stack, user):
    """an element that is put into the list by hand comes out of a stream as well"""
    stream = stand(stack, user)
    stack.redis.rpush(key("mailbox", user), "by hand")
    assert stream.messages(1) == ["by hand"]


def test_redis_emptied(private_stack, user):
    """a Redis that was emptied is told as a reset, and the stream goes on"""
    stack = private_stack
    stack.pushed(user, "old")
    stream = stand(stack, user)
    assert stream.messages(1) == ["old"]
    stack.redis.flushall()
    eventually(lambda: stack.push(user, "new").status in (201, 202), "a push is taken")
    events = [stream.event(), stream.event()]
    assert events[0].type == "letterbox.reset" and events[1].json["data"] == "new"
