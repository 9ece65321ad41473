# SPDX-License-Identifier: MIT
"""Clients that ask for too much: bounded by nginx (limits-*.conf) for each address and user, by letterbox-push (--push-rate) for each key."""

import asyncio
import json
import time

import pytest

import exposition
from expect import is_accepted, is_error
from stack import Stack
from waits import eventually
from web import AsyncConnection, target


def count(stack):
    """Has the stack's nginx count, for the limits-*.conf that are laid next to its configuration."""
    stack.change_nginx("nginx.conf", r"(?m)^    include letterbox-upstream\.conf;$", "    include letterbox-upstream.conf;\n    include limits.conf;")


@pytest.fixture(scope="module")
def limited_stack():
    """A stack with the limits of nginx/, as many of each as a test can count, whose nginx is told addresses."""
    stack = Stack(shared=True).start()
    stack.know_addresses()
    count(stack)
    stack.change_nginx("limits.conf", r"rate=100r/s", "rate=1r/m")
    stack.change_nginx("limits.conf", r"rate=1000r/s", "rate=1r/m")
    stack.change_nginx("limits-poll.conf", r"letterbox_by_address 1000", "letterbox_by_address 5")
    stack.change_nginx("limits-poll.conf", r"letterbox_by_user    100", "letterbox_by_user 3")
    stack.change_nginx("limits-poll.conf", r"burst=2000", "burst=20")
    stack.change_nginx("limits-push.conf", r"burst=1000", "burst=10")
    stack.change_nginx("nginx.conf", r"error_log log/nginx\.log warn;", "error_log log/nginx.log notice;")
    stack.add_nginx("letterbox-poll.conf", "include limits-poll.conf;")
    stack.add_nginx("letterbox-push.conf", "allow 203.0.113.0/24;", "include limits-push.conf;")
    stack.reload_nginx()
    yield stack
    stack.stop()


def address(number):
    return [("X-From", f"203.0.113.{number}")]


def is_too_many(answer):
    """The documented 429 of nginx."""
    assert is_error(answer, 429, "too_many_requests")
    wait = answer.json["error"]["retry_after_ms"]
    assert 1000 <= wait < 10000 and int(answer.header("Retry-After")) == -(-wait // 1000)
    assert answer.header("Cache-Control") == "no-store" and answer.header("X-Content-Type-Options") == "nosniff"
    return True


def refused(polls):
    """The answers of those polls that were answered at once."""
    answered = eventually(lambda: [poll for poll in polls if not poll.waits()], "one is refused")
    return [poll.connection.receive() for poll in answered]


def leave(polls):
    for poll in polls:
        poll.leave()


def test_polls_of_a_user(limited_stack, users):
    """nginx bounds a user's parked polls, from any address, and leaves another user's alone"""
    one, other = users(2)
    polls = [limited_stack.send_poll(one, headers=address(10 + i), client=f"c{i}", after=0) for i in range(4)]
    answers = refused(polls)
    assert len(answers) == 1 and is_too_many(answers[0])
    assert limited_stack.get("/poll", address(20), user=other, timeout=0).status == 200
    leave(polls)
    eventually(lambda: limited_stack.get("/poll", address(21), user=one, client="again", timeout=0).status == 200, "there is room again")


def test_polls_of_an_address(limited_stack, users):
    """nginx bounds an address' parked polls, for any user, and leaves another address' alone"""
    names = users(7)
    polls = [limited_stack.send_poll(name, headers=address(30), after=0) for name in names[:6]]
    answers = refused(polls)
    assert len(answers) == 1 and is_too_many(answers[0])
    assert limited_stack.get("/poll", address(31), user=names[6], timeout=0).status == 200
    leave(polls)


def test_requests_to_poll(limited_stack, users):
    """an address that asks too often is refused, and another address is not"""
    names = users(2)
    answers = [limited_stack.get("/poll", address(40), user=names[0], timeout=0) for _ in range(25)]
    assert [answer.status for answer in answers[:21]] == [200] * 21
    assert all(is_too_many(answer) for answer in answers[21:])
    assert limited_stack.get("/poll", address(41), user=names[1], timeout=0).status == 200


OFFICE = 500  # users behind one address; the figures of limits-poll.conf are for that number


def test_message_to_an_office(new_stack, users):
    """as shipped, an office of 500 behind one address that arrives at once, and polls again at once after a message to all, has no request refused"""
    stack, names = office_of(new_stack, users)
    assert asyncio.run(office(stack, names)) == [200] * (2 * OFFICE)


def test_message_to_an_office_of_streams(new_stack, users):
    """as shipped, that office may have streams, and acknowledge next to them at once after a message to all"""
    stack, names = office_of(new_stack, users)
    assert asyncio.run(office_of_streams(stack, names)) == [200] * OFFICE


def office_of(new_stack, users):
    """A stack with the limits of nginx/ as they are, and a group `office` of `OFFICE` users."""
    stack, names = new_stack(), users(OFFICE)
    count(stack)
    stack.add_nginx("letterbox-poll.conf", "include limits-poll.conf;")
    stack.reload_nginx()
    for name in names:
        assert stack.request("PUT", f"/groups/office/{name}").status == 200
    return stack, names


def streams_of(stack):
    return exposition.read(stack.get("/metrics").body.decode())["letterbox_streams"].value()


async def office_of_streams(stack, names):
    """The statuses of all acknowledgements, each sent as a message comes in its user's stream, which goes on."""
    streams, statuses = [], []

    async def acknowledge(name):
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        streams.append(writer)
        writer.write(f"GET {target('/events', user=name, client='tab', timeout=60)} HTTP/1.0\r\n\r\n".encode())
        while not (line := await asyncio.wait_for(reader.readline(), 60)).startswith(b"data: {\"id\":"):
            assert line, f"the stream of {name} has ended"
        connection = await AsyncConnection.open(stack.port)
        cursor = json.loads(line[6:])["id"]
        statuses.append((await connection.exchange("POST", target("/ack", user=name, client="tab", after=cursor))).status)
        connection.close()

    listening = [asyncio.ensure_future(acknowledge(name)) for name in names]
    await asyncio.to_thread(eventually, lambda: streams_of(stack) == OFFICE, "all listen", 60)
    await asyncio.to_thread(stack.push, "group:office", "hello")
    await asyncio.gather(*listening)
    for writer in streams:
        writer.close()
    return statuses


async def office(stack, names):
    """The statuses of two polls of each user, the second one sent as the first is answered."""
    statuses = []

    async def polls(name):
        connection, after = await AsyncConnection.open(stack.port), 0
        for _ in range(2):
            answer = await connection.exchange("GET", target("/poll", user=name, after=after, timeout=40))
            statuses.append(answer.status)
            if answer.status != 200:
                break
            after = answer.json["cursor"]
        connection.close()

    polling = [asyncio.ensure_future(polls(name)) for name in names]
    for polled in (1, 2):
        await asyncio.to_thread(stack.push, "group:office", "hello")
        await asyncio.to_thread(eventually, lambda: len(statuses) >= polled * OFFICE or any(status != 200 for status in statuses), "all have their answers", 60)
    await asyncio.gather(*polling)
    return statuses


def test_requests_to_push(limited_stack, user):
    """an address that pushes too often is refused, and another address is not"""
    answers = [limited_stack.push(user, "hello", address(50)) for _ in range(14)]
    assert all(is_accepted(answer) for answer in answers[:11])
    assert all(is_too_many(answer) for answer in answers[11:])
    assert is_accepted(limited_stack.push(user, "hello", address(51)))


def test_refusals_in_no_log(limited_stack, user):
    """nginx logs no query of a request that it refuses, since it may hold a token"""
    for _ in range(25):
        limited_stack.get("/poll", address(60), user=user, timeout=0, token="s3cret-in-query")
    log = limited_stack.dir / "log"
    eventually(lambda: '"GET /poll" 429' in (log / "access.log").read_text(), "the refusal is in the access log")
    assert not [path.name for path in log.iterdir() if b"s3cret" in path.read_bytes()]


def test_long_token(limited_stack):
    """a token longer than nginx counts by is not written to a log for it"""
    token = "s3cret-" + "x" * 1000
    for i in range(3):
        limited_stack.get("/poll", [*address(70 + i), ("Authorization", f"Bearer {token}")], timeout=0)
        limited_stack.get("/poll", [*address(70 + i), ("Cookie", f"letterbox_token={token}")], timeout=0)
        limited_stack.get("/poll", address(70 + i), timeout=0, token=token)
    access = limited_stack.dir / "log/access.log"
    eventually(lambda: all(access.read_text().count(f"203.0.113.{70 + i} ") == 3 for i in range(3)), "all are in the access log")
    assert not [path.name for path in (limited_stack.dir / "log").iterdir() if b"s3cret" in path.read_bytes()]


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


KEYS = ["first-key-0123456789", "second-key-0123456789"]


@pytest.fixture(scope="module")
def slow_stack(tmp_path_factory):
    """A stack that takes two pushes a second by each of two keys, whichever worker gets them."""
    file = tmp_path_factory.mktemp("keys") / "key"
    file.write_text("\n".join(KEYS))
    stack = Stack(shared=True, workers=3, push_rate=2, key_file=file).start()
    yield stack
    stack.stop()


def pushes_until_refused(stack, user, key):
    """(how many were accepted, the refusal), over connections that several workers have."""
    accepted = 0

    def refusal():
        nonlocal accepted
        answer = stack.push(user, "hello", bearer(key))
        if answer.status == 429:
            return answer
        assert is_accepted(answer)
        accepted += 1
        return None

    answer = eventually(refusal, "a push is too many")
    return accepted, answer


def test_push_rate(slow_stack, user):
    """more pushes a second than --push-rate are 429 too_fast, with a time after which they are taken"""
    answer = pushes_until_refused(slow_stack, user, KEYS[0])[1]
    assert is_error(answer, 429, "too_fast")
    assert 1 <= answer.json["error"]["retry_after_ms"] <= 2000 and answer.header("Retry-After") in ("1", "2")
    eventually(lambda: is_accepted(slow_stack.push(user, "later", bearer(KEYS[0]))), "a push is taken again")


def test_push_rate_of_a_second(slow_stack, user):
    """in any period all workers together take no more pushes than --push-rate allows"""
    begun = time.monotonic()
    accepted = 0
    while time.monotonic() < begun + 3:
        accepted += slow_stack.push(user, "hello", bearer(KEYS[0])).status != 429
    assert accepted <= 2 * (time.monotonic() - begun + 1) + 1


def test_push_rate_of_a_key(slow_stack, user):
    """one key's pushes don't count against the other's limit, nor do those without a key"""
    pushes_until_refused(slow_stack, user, KEYS[0])
    for _ in range(20):
        assert is_error(slow_stack.push(user, "hello", bearer("wrong-key-0123456789")), 401, "bad_key")
    eventually(lambda: is_accepted(slow_stack.push(user, "hello", bearer(KEYS[1]))), "the other key's is taken")


def test_push_rate_is_of_pushes(slow_stack, user):
    """other requests are not counted"""
    pushes_until_refused(slow_stack, user, KEYS[0])
    for _ in range(20):
        assert slow_stack.get("/mailbox", bearer(KEYS[0]), user=user).status == 200


def test_no_limits(stack, user):
    """without limits no client is held back"""
    for _ in range(200):
        assert is_accepted(stack.push(user, "hello"))
        assert stack.get("/poll", user=user, timeout=0).status == 200
