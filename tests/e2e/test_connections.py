# SPDX-License-Identifier: MIT
"""Connections: clients that leave, connections that stay, and peers that stop in the middle of a request."""

import os
import struct
import threading
import time
from pathlib import Path

import pytest

import fcgi_peer
from expect import data, is_accepted, is_error
from fcgi_peer import Peer
from waits import SOON, eventually
from web import target


def nobody_waits(stack, user):
    return stack.mailbox(user)["polls"] == 0


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_gone_client_leaves_the_room(stack, user, leave):
    """a parked poll whose client disconnects leaves the room at once"""
    for _ in range(3):
        parked = stack.park(user)
        getattr(parked.connection, leave)()
        eventually(lambda: nobody_waits(stack, user), "the room is empty", SOON)


def test_gone_while_parked(stack, user):
    """a client that disconnects while parked gets the message in its next poll"""
    parked = stack.park(user, after=0)
    parked.leave()
    stack.pushed(user, "hello")
    assert data(stack.poll(user, after=0)) == ["hello"]


def test_gone_while_parked_without_after(stack, user):
    """a client without a cursor that disconnects while parked gets the message in its next poll, too"""
    parked = stack.park(user)
    parked.leave()
    eventually(lambda: nobody_waits(stack, user), "the room is empty")
    stack.pushed(user, "hello")
    assert data(stack.poll(user)) == ["hello"]


def park_again(stack, user, cursor):
    """Parks a poll of a client that has left one before: nginx may pass that one on after this one, which it then ends."""
    while True:
        parked = stack.send_poll(user, after=cursor)
        eventually(lambda: not parked.waits() or stack.mailbox(user)["polls"] == 1, "it is parked, or has ended")
        if parked.waits():
            return parked
        assert parked.answer()["reason"] == "superseded"


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_gone_as_answered(stack, user, leave):
    """a client that disconnects as its answer is written gets the message in its next poll"""
    cursor, got = 0, []
    for number in range(40):
        parked = park_again(stack, user, cursor) if number % 4 == 0 else stack.send_poll(user, after=cursor)
        pusher = threading.Thread(target=stack.pushed, args=(user, str(number)))
        pusher.start()
        if number % 2:
            pusher.join()
        getattr(parked.connection, leave)()
        pusher.join()
        answer = stack.poll(user, after=cursor, timeout=10)
        while answer["reason"] == "superseded":  # by the one that was left: one of nginx's workers may pass that on after another passes this on
            answer = stack.poll(user, after=cursor, timeout=10)
        got += data(answer)
        cursor = answer["cursor"]
    assert got == [str(number) for number in range(40)]


def test_gone_before_its_answer_came(stack, user):
    """a client that never read its answer gets the same again"""
    stack.pushed(user, "hello")
    for _ in range(20):
        with stack.connect() as connection:
            connection.request("GET", target("/poll", user=user, after=0, timeout=50))
    answer = stack.poll(user, after=0)
    while answer["reason"] == "superseded":  # as above
        answer = stack.poll(user, after=0)
    assert data(answer) == ["hello"]


def test_one_of_many_leaves(stack, user):
    """when one of a user's clients leaves, the others go on waiting and get the message"""
    polls = {client: stack.park(user, beside=number, client=client) for number, client in enumerate("abc")}
    polls.pop("b").leave()
    eventually(lambda: stack.mailbox(user)["polls"] == 2, "one has left")
    stack.pushed(user, "hello")
    assert [data(poll.answer()) for poll in polls.values()] == [["hello"], ["hello"]]
    assert data(stack.look(user, client="b")) == ["hello"]


def test_many_leave(stack, users):
    """two hundred clients that disconnect together leave an empty room and no open descriptor"""
    names = users(200)
    before = descriptors(stack.pid("poll"))
    polls = [stack.send_poll(name) for name in names]
    eventually(lambda: stack.mailbox(names[-1])["polls"] == 1, "the last one is parked")
    for poll in polls:
        poll.leave()
    eventually(lambda: all(nobody_waits(stack, name) for name in names[::20]), "the room is empty")
    # nginx and the lanes may keep some connections for the next ones.
    eventually(lambda: descriptors(stack.pid("poll")) <= before + 40, "descriptors are closed", deadline=30)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def watched_by_workers(pid):
    """How many descriptors each worker's epoll watches."""
    epolls = [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if os.readlink(fd) == "anon_inode:[eventpoll]"]
    return [Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().count("tfd:") for fd in epolls]


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def test_kept_client_connections_one_by_one(narrow_stack, user):
    """64 kept client connections, used one by one, are served by one worker"""
    connections = [narrow_stack.connect() for _ in range(64)]
    for round in range(3):
        for connection in connections:
            assert connection.exchange("GET", target("/poll", user=user, timeout=0)).status == 200
            assert is_accepted(connection.exchange("POST", target("/push", to=user), body=b"hello"))
    for connection in connections:
        connection.close()


def test_kept_client_connections_together(narrow_stack, users):
    """64 kept client connections, used all at once, are served by one worker"""
    names = users(64)
    connections = [narrow_stack.connect() for _ in names]
    for round in range(3):
        for name, connection in zip(names, connections):
            connection.request("POST", target("/push", to=name), body=b"%d" % round)
        assert all(is_accepted(connection.receive()) for connection in connections)
        for name, connection in zip(names, connections):
            connection.request("GET", target("/poll", user=name))
        assert [data(connection.receive().json) for connection in connections] == [[str(round)]] * 64
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("program, path, status", [("poll", "/poll", 401), ("push", "/mailbox", 400)])
def test_kept_fastcgi_connections(narrow_stack, user, program, path, status):
    """idle kept FastCGI connections, far more than workers, hold none of them"""
    peers = [Peer(narrow_stack.socket(program)) for _ in range(64)]
    for _ in range(2):
        for peer in peers:
            assert peer.exchange("GET", path).status == status
    narrow_stack.pushed(user, "hello")
    assert data(narrow_stack.poll(user)) == ["hello"]
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("program", ["poll", "push"])
def test_spread_over_workers(new_stack, program):
    """no worker holds more than twice its share of a thousand kept connections"""
    # (Unlike polls, which stay, pushes have only a few connections.)
    stack = new_stack(workers=4, apart=1 if program == "push" else 0)
    peers = []
    for _ in range(1000):  # one after the other, as in everyday use
        peers.append(Peer(stack.socket(program)))
        assert peers[-1].exchange("GET", "/healthz").status == 200
    watched = watched_by_workers(stack.pid(program))
    assert len(watched) == 4 and sum(watched) >= 1000 and max(watched) <= 500, watched
    for peer in peers:
        peer.close()


def test_parked_polls_hold_no_worker(narrow_stack, users):
    """300 polls are parked with one worker, which goes on serving, and all are woken"""
    names = users(300)
    polls = [narrow_stack.send_poll(name, after=0) for name in names]
    eventually(lambda: all(narrow_stack.mailbox(name)["polls"] == 1 for name in names[::30]), "they are parked")
    for start in range(0, 300, 50):
        answer = narrow_stack.push(",".join(names[start:start + 50]), "hello")
        assert answer.status in (201, 202)
    assert [data(poll.answer()) for poll in polls] == [["hello"]] * 300


def test_parked_polls_are_cheap(stack, users):
    """400 parked polls hold neither a thread nor a Redis connection each"""
    names = users(400)
    polls = [stack.send_poll(name, after=0) for name in names]
    eventually(lambda: all(stack.mailbox(name)["polls"] == 1 for name in names[::30]), "they are parked")
    assert threads(stack.pid("poll")) < 60
    assert stack.redis.info("clients")["connected_clients"] < 150
    for poll in polls:
        poll.leave()
    eventually(lambda: all(nobody_waits(stack, name) for name in names[::30]), "they have left")


def test_pipelined(stack, user):
    """requests sent at once on one connection are answered in their order"""
    with stack.connect() as connection:
        for text in (b"one", b"two"):
            connection.request("POST", target("/push", to=user), body=text)
        connection.request("GET", target("/poll", user=user, after=0))
        connection.request("GET", target("/mailbox", user=user))
        assert is_accepted(connection.receive()) and is_accepted(connection.receive())
        assert data(connection.receive().json) == ["one", "two"]
        assert connection.receive().json["queued"] == 2


def test_kept_connection_after_a_wait(stack, user):
    """a connection whose poll was parked serves the next request"""
    with stack.connect() as connection:
        for number in range(3):
            connection.request("GET", target("/poll", user=user))
            eventually(lambda: stack.mailbox(user)["polls"] == 1, "it is parked")
            stack.pushed(user, str(number))
            assert data(connection.receive().json) == [str(number)]


# --- input that nginx would not send, straight to the programs' sockets

WHOLE = fcgi_peer.request("POST", "/push", "to=silent", b"x" * 1000, CONTENT_TYPE="text/plain")
HALVES = {
    "nothing": b"", "a byte": WHOLE[:1], "half a header": WHOLE[:5], "only begin": WHOLE[:16], "half the parameters": WHOLE[:60],
    "no end of parameters": WHOLE[:WHOLE.index(fcgi_peer.record(fcgi_peer.PARAMS))], "half the body": WHOLE[:-600], "no end of body": WHOLE[:-8],
}


@pytest.mark.parametrize("program", ["poll", "push"])
@pytest.mark.parametrize("half", [pytest.param(value, id=name) for name, value in HALVES.items()])
def test_silent_peers(narrow_stack, user, program, half):
    """FastCGI peers that send half a request and go silent block no other client"""
    peers = [Peer(narrow_stack.socket(program)).send(half) for _ in range(8)]
    before = time.monotonic()
    parked = narrow_stack.park(user)
    narrow_stack.pushed(user, "hello")
    assert data(parked.answer()) == ["hello"]
    assert time.monotonic() - before < 4.5, "after 5 s the program gives up on them"
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("program", ["poll", "push"])
def test_slow_peer(narrow_stack, user, program):
    """a request that comes in pieces is answered once it is whole"""
    path, query, body = ("/poll", "timeout=0", b"") if program == "poll" else ("/push", f"to={user}", b"hello")
    whole = fcgi_peer.request("GET" if program == "poll" else "POST", path, query, body, MAILBOX_USER=user)
    with Peer(narrow_stack.socket(program)) as peer:
        for at in range(0, len(whole), 20):
            peer.send(whole[at:at + 20])
            narrow_stack.mailbox(user)  # everything that came so far has been looked at by now
        assert peer.receive().status in (200, 202)
        assert peer.exchange("GET", "/nowhere").status == 404, "the connection can be used again"


PADDED = {"begin": fcgi_peer.BEGIN_REQUEST, "parameters": fcgi_peer.PARAMS, "input": fcgi_peer.STDIN}


@pytest.mark.parametrize("padding", [1, 8, 255])
@pytest.mark.parametrize("kind", PADDED)
def test_padded_records(narrow_stack, user, kind, padding):
    """padding of any record, the empty ones too, is no part of the request, and the next one is read as well"""
    def padded(number, content):
        return fcgi_peer.record(number, content, padding=padding if number == PADDED[kind] else 0)

    role = struct.pack(">HB5x", fcgi_peer.RESPONDER, fcgi_peer.KEEP_CONNECTION)
    pairs = fcgi_peer.params({"REQUEST_METHOD": "POST", "PATH_INFO": "/push", "QUERY_STRING": f"to={user}", "CONTENT_LENGTH": "10000"})
    with Peer(narrow_stack.socket("push")) as peer:
        for _ in range(3):
            peer.send(padded(1, role) + padded(4, pairs) + padded(4, b"") + padded(5, b"x" * 7000) + padded(5, b"x" * 3000) + padded(5, b""))
            assert is_accepted(peer.receive())
    assert data(narrow_stack.look(user, after=0)) == ["x" * 10_000] * 3


BROKEN = {
    "not FastCGI": b"GET / HTTP/1.1\r\n\r\n" * 10, "version 2": b"\x02" + fcgi_peer.request("GET", "/poll")[1:], "all zero": b"\0" * 100, "all ones": b"\xff" * 100,
    "parameters first": fcgi_peer.record(fcgi_peer.PARAMS) * 3, "begin twice": fcgi_peer.begin() * 2, "wrong role": fcgi_peer.begin(role=3) + fcgi_peer.record(fcgi_peer.PARAMS) * 2,
    "short begin": fcgi_peer.record(1, b"\0\1") + fcgi_peer.record(4) + fcgi_peer.record(5),
    "parameter longer than its record": fcgi_peer.begin() + fcgi_peer.record(4, b"\xff\xff\xff\xff\x7fxx") + fcgi_peer.record(4) + fcgi_peer.record(5),
    "cut parameter length": fcgi_peer.begin() + fcgi_peer.record(4, b"\x80") + fcgi_peer.record(4) + fcgi_peer.record(5),
    "abort": fcgi_peer.begin() + fcgi_peer.record(fcgi_peer.ABORT_REQUEST), "management": fcgi_peer.record(9, fcgi_peer.params({"FCGI_MAX_CONNS": ""}), request_id=0),
    "two requests in one": fcgi_peer.begin() + fcgi_peer.begin(request_id=2) + fcgi_peer.record(4, request_id=2) + fcgi_peer.record(4) + fcgi_peer.record(5),
    "unknown record": fcgi_peer.record(77, b"x" * 100) * 10,
}


@pytest.mark.parametrize("program", ["poll", "push"])
@pytest.mark.parametrize("bytes_", [pytest.param(value, id=name) for name, value in BROKEN.items()])
def test_broken_peers(narrow_stack, user, program, bytes_):
    """a program survives input that is not FastCGI, and serves the next peers"""
    peers = []
    for _ in range(4):
        peer = Peer(narrow_stack.socket(program))
        peers.append(peer)
        try:
            peer.send(bytes_)
        except ConnectionError:
            pass  # closed before all was sent
    parked = narrow_stack.park(user)
    narrow_stack.pushed(user, "hello")
    assert data(parked.answer()) == ["hello"]
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("length", ["-1", "abc", "99999999999999999999", "1e3", "0x5", " 5", "10", "3"])
def test_wrong_content_length(narrow_stack, user, length):
    """a CONTENT_LENGTH that is not the body's is answered, and pushes no half message"""
    with Peer(narrow_stack.socket("push")) as peer:
        answer = peer.exchange("POST", "/push", f"to={user}", b"hello", CONTENT_LENGTH=length)
    assert 200 <= answer.status < 500 and answer.json
    kept = data(narrow_stack.look(user, after=0))
    assert kept in ([], ["hello"]) or (length == "3" and kept == ["hel"]), kept
    assert bool(kept) == (answer.status < 300)


@pytest.mark.parametrize("leave_out", ["REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR"])
def test_missing_parameters(narrow_stack, user, leave_out):
    """a request without one of the usual FastCGI parameters is answered"""
    pairs = {"REQUEST_METHOD": "GET", "PATH_INFO": "/mailbox", "QUERY_STRING": f"user={user}", "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "REMOTE_ADDR": "127.0.0.1"}
    del pairs[leave_out]
    with Peer(narrow_stack.socket("push")) as peer:
        peer.send(fcgi_peer.begin() + fcgi_peer.record(4, fcgi_peer.params(pairs)) + fcgi_peer.record(4) + fcgi_peer.record(5))
        answer = peer.receive()
    expected = {"REQUEST_METHOD": (405, "wrong_method"), "PATH_INFO": (404, "unknown_route"), "QUERY_STRING": (400, "missing_user")}.get(leave_out)
    assert is_error(answer, *expected) if expected else answer.status == 200


@pytest.mark.parametrize("name", ["MAILBOX_USER", "QUERY_STRING", "PATH_INFO", "REQUEST_METHOD", "HTTP_LAST_EVENT_ID", "HTTP_AUTHORIZATION", "HTTP_COOKIE",
                                  "HTTP_USER_AGENT", "HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_HOST"])
@pytest.mark.parametrize("value", [b"\0", b"a\0b", b"a\r\nX-Evil: 1", b"\xff\xfe", b"x" * 20_000], ids=lambda value: repr(value[:12]))
def test_odd_parameters(narrow_stack, user, name, value):
    """NUL, CR and LF, broken UTF-8 and great length in a FastCGI parameter are answered with one JSON document"""
    pairs = {"MAILBOX_USER": user, name: value}
    method = pairs.pop("REQUEST_METHOD", "GET")
    path = pairs.pop("PATH_INFO", "/poll")
    query = b"timeout=0&client=" + pairs.pop("QUERY_STRING", b"tab")
    with Peer(narrow_stack.socket("poll")) as peer:
        answer = peer.exchange(method, path, query, **pairs)
    assert answer.status in (200, 400, 401, 404, 405) and answer.json, answer
    assert answer.header("X-Evil") is None


def test_unbuffered(stack, user):
    """the programs tell nginx not to buffer a poll's answer"""
    with Peer(stack.socket("poll")) as peer:
        answer = peer.exchange("GET", "/poll", "timeout=0", MAILBOX_USER=user)
    assert answer.header("X-Accel-Buffering") == "no"


def test_fastcgi_connection_is_closed_where_asked(stack, user):
    """a FastCGI connection that is not to be kept is closed after its answer"""
    for program, path in (("poll", "/poll"), ("push", "/mailbox")):
        with Peer(stack.socket(program)) as peer:
            peer.send(fcgi_peer.request("GET", path, f"user={user}&timeout=0", keep=False))
            assert peer.receive().status == 200
            assert peer.ended(deadline=5)


def test_peer_that_does_not_read(narrow_stack, users):
    """a peer that takes no answer blocks neither the lane nor the worker that answers it"""
    stuck, fine = users(2)
    for number in range(8):
        narrow_stack.pushed(stuck, str(number) * 250_000)
    peers = [Peer(narrow_stack.socket("poll")).send(fcgi_peer.request("GET", "/poll", f"client={number}", MAILBOX_USER=stuck)) for number in range(8)]
    parked = narrow_stack.park(fine)
    narrow_stack.pushed(fine, "hello")
    assert data(parked.answer()) == ["hello"]
    assert peers[0].receive().json["count"] >= 1, "and gets its answer whole when it reads at last"
    for peer in peers:
        peer.close()


def test_peers_come_and_go(stack, user):
    """a thousand connections that are opened and closed without a word leave nothing behind"""
    before = {program: descriptors(stack.pid(program)) for program in ("poll", "push")}
    for program in before:
        for _ in range(1000):
            Peer(stack.socket(program)).close()
    stack.pushed(user, "hello")
    assert data(stack.poll(user)) == ["hello"]
    for program, count in before.items():
        eventually(lambda: descriptors(stack.pid(program)) <= count + 40, f"{program}'s descriptors are closed")


def test_nginx_reloads(private_stack, user):
    """a reload of nginx ends no parked poll that is answered soon, and new polls are served meanwhile"""
    parked = private_stack.park(user, client="old")
    private_stack.reload_nginx()
    newer = private_stack.park(user, beside=1, client="new")
    private_stack.pushed(user, "hello")
    assert data(parked.answer()) == data(newer.answer()) == ["hello"]


def test_nginx_dies(private_stack, user):
    """when nginx dies its parked polls leave the room, and with the next nginx everything works on"""
    polls = [private_stack.park(user, beside=number, client=f"tab{number}") for number in range(5)]
    with Peer(private_stack.socket("push")) as peer:
        children = private_stack.nginx_workers()
        private_stack.end("nginx", 9)
        for child in children:
            os.kill(child, 9)
        eventually(lambda: peer.exchange("GET", "/mailbox", f"user={user}").json["polls"] == 0, "the room is empty")
    for poll in polls:
        poll.leave()
    assert private_stack.service("start").returncode == 0
    private_stack.pushed(user, "hello")
    assert data(private_stack.poll(user, client="tab0")) == ["hello"]
