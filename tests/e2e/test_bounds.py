# SPDX-License-Identifier: MIT
"""Every resource is bounded: floods of each kind are refused in the documented way, existing clients are still served, and the
programs' memory stays bounded."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import time
from pathlib import Path

import fcgi_peer
from expect import data, is_accepted, is_error, seq
from fcgi_peer import Peer
from keys import key
from stack import SANITIZED
from waits import SOON, eventually
from web import AsyncConnection, target

MIB = 1 << 20


def memory(stack, part, line):
    """Bytes of memory that a program holds (VmRSS), or has held at most (VmHWM)."""
    return int(re.search(rf"{line}:\s+(\d+) kB", Path(f"/proc/{stack.pid(part)}/status").read_text())[1]) * 1024


@contextlib.contextmanager
def bounded(stack, part, most):
    """The block takes a program at no moment more memory than that, in MiB."""
    most *= SANITIZED
    Path(f"/proc/{stack.pid(part)}/clear_refs").write_text("5")  # its peak is from now
    before = memory(stack, part, "VmRSS")
    yield
    more = (memory(stack, part, "VmHWM") - before) / MIB
    print(f"{part}: {more:.1f} MiB more, {most} are allowed")
    assert more < most, f"{part} took {more:.1f} MiB more, {most} are allowed"


def is_refused(answer, status, code):
    """A refusal that says when to come back, in the header and in the document."""
    assert is_error(answer, status, code)
    wait = answer.json["error"]["retry_after_ms"]
    assert wait > 0 and int(answer.header("Retry-After")) == -(-wait // 1000)
    return wait


def at_once(stack, requests):
    """Sends all requests, each on a connection of its own, and returns their answers. A request is what Connection.request takes."""
    async def one(arguments):
        connection = await AsyncConnection.open(stack.port)
        try:
            return await connection.exchange(*arguments)
        finally:
            connection.close()

    async def every():
        return await asyncio.wait_for(asyncio.gather(*map(one, requests)), 60)

    return asyncio.run(every())


# --- polls

def test_max_parked(new_stack, users):
    """beyond --max-parked a poll that would wait is 503 overloaded, with spread times to return, while messages and looks are served"""
    stack = new_stack(max_parked=20)
    names = users(20)
    polls = [stack.park(name) for name in names]
    keeper, *crowd = users(200)
    stack.pushed(keeper, "kept")
    with bounded(stack, "poll", 10):
        waits = {is_refused(stack.get("/poll", user=name, timeout=30), 503, "overloaded") for name in crowd}
    assert len(waits) > 100 and min(waits) >= 5000 and max(waits) < 15_000
    assert data(stack.poll(keeper, after=0)) == ["kept"]
    assert stack.look(crowd[0])["reason"] == "timeout"
    assert stack.mailbox(crowd[0])["polls"] == 0
    assert all(poll.waits() for poll in polls)
    stack.pushed(names[0], "hello")
    assert data(polls[0].answer()) == ["hello"]
    stack.park(crowd[0]).leave()
    for poll in polls[1:]:
        poll.leave()


def test_parked_memory(new_stack, users):
    """900 polls at once where 300 may wait leave 300 waiting, and little memory in use"""
    stack = new_stack(max_parked=300)
    with bounded(stack, "poll", 20):
        polls = [stack.send_poll(name, timeout=50) for name in users(900)]
        eventually(lambda: sum(poll.waits() for poll in polls) <= 300, "600 are refused")
    assert sum(poll.waits() for poll in polls) == 300
    refused = [poll for poll in polls if not poll.waits()]
    assert all(is_refused(poll.connection.receive(), 503, "overloaded") for poll in refused)
    for poll in polls:
        poll.leave()


def test_said_at_start(new_stack):
    """the log says at start how many polls may wait, and why no more"""
    stack = new_stack(max_parked=10_000_000)
    said = (stack.dir / "log" / "poll.log").read_text()
    assert "polls may wait: --max-parked is 10000000, and there are" in said


# --- clients of a user

def test_clients_max(new_stack, user):
    """beyond --clients-max the longest unseen client is forgotten; if all wait, a new one is 429 too_many_clients"""
    stack = new_stack(clients_max=5)
    stack.pushed(user, "one")
    for name in "abcdefgh":
        assert data(stack.look(user, client=name, after=0)) == ["one"]
    assert {client["client"] for client in stack.mailbox(user)["clients"]} == set("defgh")
    cursor = stack.mailbox(user)["newest"]
    polls = [stack.park(user, beside=number, client=name, after=cursor) for number, name in enumerate("vwxyz")]
    is_refused(stack.get("/poll", user=user, client="more", after=cursor), 429, "too_many_clients")
    is_refused(stack.get("/poll", user=user, client="more", after=0), 429, "too_many_clients")
    is_refused(stack.get("/poll", user=user, client="more", timeout=0), 429, "too_many_clients")
    stack.pushed(user, "two")
    assert [data(poll.answer()) for poll in polls] == [["two"]] * 5
    assert data(stack.look(user, client="more", after=cursor)) == ["two"]


def test_many_names(stack, user):
    """a user with five thousand names of clients has a hundred, in Redis and in memory"""
    stack.pushed(user, "hello")
    with stack.connect() as connection:
        def look(number):
            answer = connection.exchange("GET", target("/poll", user=user, client=f"tab{number}", after=0, timeout=0))
            assert data(answer.json) == ["hello"]
        with bounded(stack, "poll", 10):
            for number in range(5000):
                look(number)
    assert stack.redis.hlen(key("clients", user)) == 100


# --- mailboxes

def test_mailbox_bytes(new_stack, user):
    """beyond --mailbox-bytes the oldest messages are dropped, and counted exactly"""
    stack = new_stack(mailbox_bytes=1_000_000)
    first, *_, last = [stack.pushed(user, f"{number:02}" + "x" * 99_000) for number in range(40)]
    assert stack.redis.memory_usage(key("unacked", user), samples=0) < 1_250_000
    answer = stack.look(user, after=first)
    assert (answer["count"], answer["missed"], answer["cursor"]) == (10, 29, last)
    assert seq(last) == 40


def test_mailboxes_are_bounded(new_stack, users):
    """however much is pushed to users who never come, Redis holds no more than users times the bounds of a mailbox"""
    stack = new_stack(mailbox_bytes=200_000, mailbox_max=50)
    names = users(10)
    before = stack.redis.info("memory")["used_memory"]
    for size in (100, 3000, 60_000):
        for _ in range(30):
            assert stack.push(names, "x" * size).status == 202
    assert stack.redis.info("memory")["used_memory"] < before + len(names) * (250_000 + MIB // 2)


def test_full_redis(private_stack, users):
    """a Redis that is full refuses pushes with 503, lets polls through, and takes pushes again when the polls have made room"""
    name, = users(1)
    stack = private_stack
    stack.redis.config_set("maxmemory", stack.redis.info("memory")["used_memory"] + 2 * MIB)
    kept = []
    while (answer := stack.push(name, "x" * 50_000)).status == 202:
        kept.append(answer.json["id"])
        assert len(kept) < 200
    is_refused(answer, 503, "store_unavailable")
    got, cursor = [], "0"
    while cursor != kept[-1]:
        answer = stack.look(name, after=cursor)
        got += [message["id"] for message in answer["messages"]]
        assert answer["missed"] == 0 and answer["count"] > 0
        cursor = answer["cursor"]
    assert got == kept
    stack.look(name, after=cursor)
    eventually(lambda: is_accepted(stack.push(name, "again")), "there is room again")
    assert data(stack.look(name, after=cursor)) == ["again"]


# --- the same again and again

def test_hot_loop(stack, user):
    """a client that asks again and again for the same messages is slowed to once a second, and still gets them"""
    stack.pushed(user, "hello")
    with stack.connect() as connection:
        def ask(after):
            begin = time.monotonic()
            answer = connection.exchange("GET", target("/poll", user=user, client="loop", after=after))
            assert data(answer.json) == ["hello"]
            return time.monotonic() - begin
        # (A client that asks as seldom by itself, since the machine is busy, is not slowed.)
        eventually(lambda: ask(0) > 0.9 and ask(0) > 0.9, "it is slowed")


def test_hot_loop_moves_on(stack, user):
    """a client that moves on with each answer is never slowed"""
    for number in range(100):
        stack.pushed(user, str(number))
    cursor = "0"
    begin = time.monotonic()
    for number in range(100):
        answer = stack.look(user, after=cursor, limit=1)
        assert data(answer) == [str(number)]
        cursor = answer["cursor"]
    assert time.monotonic() - begin < 6 * SOON, "slowed, it would be at least a minute"


# --- sizes

def test_longest_query(stack, user):
    """a query longer than nginx takes is refused by nginx, and up to that length a program's answer is JSON"""
    answer = stack.request("GET", f"/poll?user={user}&timeout=0&x=" + "x" * 8000)
    assert answer.status == 200
    answer = stack.request("GET", f"/poll?user={user}&timeout=0&x=" + "x" * 9000)
    assert is_error(answer, 414, "head_too_large")


def test_many_parameters(stack, user):
    """thousands of parameters in a query are one request like any other"""
    answer = stack.request("GET", f"/poll?user={user}&timeout=0&" + "a&" * 3500)
    assert answer.status == 200
    answer = stack.request("GET", f"/poll?user={user}&timeout=0&" + "timeout=0&" * 700)
    assert is_error(answer, 400, "repeated_parameter")


def test_head_too_large(narrow_stack, user):
    """parameters longer than 256 KiB are 431 head_too_large, and the connection can be used again"""
    for program, path in (("poll", "/poll"), ("push", "/mailbox")):
        with Peer(narrow_stack.socket(program)) as peer:
            stream = fcgi_peer.params({"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "x" * 30_000})
            stream += fcgi_peer.params({f"HTTP_X{number}": "x" * 10_000 for number in range(24)})

            def ask(extra):
                whole = stream + extra
                peer.send(fcgi_peer.begin())
                for at in range(0, len(whole), 0x8000):
                    peer.send(fcgi_peer.record(fcgi_peer.PARAMS, whole[at:at + 0x8000]))
                return peer.send(fcgi_peer.record(fcgi_peer.PARAMS) + fcgi_peer.record(fcgi_peer.STDIN)).receive()

            assert len(stream) > 262_144 and is_error(ask(b""), 431, "head_too_large")
            assert is_error(ask(b"\0" * 1_000_000), 431, "head_too_large")
            assert peer.exchange("GET", "/nowhere").status == 404


def lies(path, lie, body):
    """Sends a request with a false length in its parameters, and returns when the connection has been closed."""
    stdin = b"".join(fcgi_peer.record(5, body[at:at + 50_000]) for at in range(0, len(body), 50_000))
    with Peer(path) as peer:
        with contextlib.suppress(ConnectionError):  # closed before all was sent
            peer.send(fcgi_peer.begin() + fcgi_peer.record(4, lie) + fcgi_peer.record(4) + stdin + fcgi_peer.record(5))
        assert peer.ended()


def test_announced_lengths(narrow_stack, user):
    """a parameter that announces gigabytes takes no memory: its connection is closed"""
    for lie in (b"\xff" * 8, b"\x7f\xff\xff\xff\xff", b"\x80\x10\0\0\x01x", b"\xff\xff\xff\xfe\xff\xff\xff\xff"):
        for program in ("poll", "push"):
            with bounded(narrow_stack, program, 5):
                for body in (b"", b"x" * 100_000):
                    lies(narrow_stack.socket(program), lie, body)


def test_body_over_the_limit(narrow_stack, user):
    """a body of any length beyond the limit is 413 too_large, and is not kept in memory"""
    with bounded(narrow_stack, "push", 10), Peer(narrow_stack.socket("push")) as peer:
        for size in (262_145, 1_000_000, 30_000_000):
            assert is_error(peer.exchange("POST", "/push", f"to={user}", b"x" * size), 413, "too_large")
        assert is_accepted(peer.exchange("POST", "/push", f"to={user}", b"x" * 262_144))


def test_stuck_uploads(narrow_stack, users):
    """large bodies do not wait for peers that have stopped in the middle of theirs"""
    stuck, *names = users(21)
    half = fcgi_peer.request("POST", "/push", f"to={stuck}", b"x" * 200_000)[:-80_000]
    peers = [Peer(narrow_stack.socket("push")).send(half) for _ in range(20)]
    begin = time.monotonic()
    assert is_accepted(narrow_stack.push(names[0], "y" * 250_000))
    assert time.monotonic() - begin < 4.5, "after 5 s the program gives up on the others"
    for name in names[1:]:
        assert is_accepted(narrow_stack.push(name, "y" * 250_000))
    assert all(peer.ended() for peer in peers), "the program has given up on them"
    assert narrow_stack.mailbox(stuck)["queued"] == 0


def test_many_stuck_uploads(narrow_stack, user):
    """more stuck peers than are read from at a time take bounded memory, and the program gives up on them one after another"""
    half = fcgi_peer.request("POST", "/push", f"to={user}", b"x" * 250_000)[:-20]
    peers = [Peer(narrow_stack.socket("push")) for _ in range(200)]
    left = {peer: half for peer in peers}

    def sent(count):
        for peer, rest in left.items():
            with contextlib.suppress(BlockingIOError):
                left[peer] = rest[peer.socket.send(rest, socket.MSG_DONTWAIT):] if rest else rest
        return sum(not rest for rest in left.values()) >= count

    with bounded(narrow_stack, "push", 40):
        eventually(lambda: sent(64), "64 of them are read from")
    for peer in peers:
        peer.close()
    eventually(lambda: is_accepted(narrow_stack.push(user, "y" * 250_000)), "the next one is read")


# --- pushes

def test_long_message_to_many(stack, users):
    """a long message to a thousand is not in memory a thousand times"""
    names = users(1000)
    with bounded(stack, "push", 20):
        answer = stack.push_json(json.dumps({"to": names, "data": "x" * 200_000}))
    assert answer.status == 202 and len(answer.json["results"]) == 1000
    assert data(stack.look(names[-1], after=0)) == ["x" * 200_000]


def test_huge_batches(stack, users):
    """a batch of more recipients than the limit is refused as a whole, in any shape"""
    name, = users(1)
    shapes = ([{"to": name}] * 1001, [{"to": [f"u{number}" for number in range(600)]}] * 2, [1] * 60_000, [{}] * 60_000,
              {"to": [f"u{number}" for number in range(1001)]}, {"to": ["x"] * 50_000 + [f"u{number}" for number in range(1001)]})
    with bounded(stack, "push", 40):
        for shape in shapes:
            assert is_error(stack.push_json(json.dumps(shape)), 400, "too_many_recipients")
    assert stack.mailbox(name)["queued"] == 0


def test_bodies_in_parallel(new_stack, users):
    """many long pushes at once while Redis hangs: the memory for them is bounded, the rest is 503 overloaded, and no 2xx is false"""
    stack = new_stack(workers=1)
    names = users(400)
    stack.kill("redis", signal.SIGSTOP)
    try:
        with bounded(stack, "push", 150):
            answers = at_once(stack, [("POST", target("/push", to=name), (), b"x" * 250_000) for name in names])
    finally:
        stack.kill("redis", signal.SIGCONT)
    codes = [answer.json["error"]["code"] for answer in answers if answer.status == 503]
    assert "overloaded" in codes, codes
    assert set(codes) <= {"overloaded", "store_unavailable"}
    assert len(codes) + sum(is_accepted(answer) for answer in answers if answer.status != 503) == 400
    assert all(is_refused(answer, 503, answer.json["error"]["code"]) for answer in answers if answer.status == 503)
    eventually(lambda: is_accepted(stack.push(names[0], "again")), "Redis is back")
    for name, answer in zip(names, answers):
        if answer.status in (201, 202):
            assert "x" * 250_000 in data(stack.look(name, after=0))
