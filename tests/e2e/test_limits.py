# SPDX-License-Identifier: MIT
"""Who asks for too much: bounded by nginx (limits-*.conf) for each address and user, by letterbox-push (--push-rate) for each key."""

import asyncio
import time

import pytest

from expect import is_accepted, is_error
from stack import Stack
from waits import eventually
from web import AsyncConnection, target


def count(stack):
    """Has the stack's nginx count, for the limits-*.conf that are laid beside it."""
    stack.change_nginx("nginx.conf", r"(?m)^    include letterbox-upstream\.conf;$", "    include letterbox-upstream.conf;\n    include limits.conf;")


@pytest.fixture(scope="module")
def limited_stack():
    """A stack with the limits of nginx/, as many of each as a test can count, whose nginx is told addresses."""
    stack = Stack(shared=True).start()
    stack.know_addresses()
    count(stack)
    stack.change_nginx("limits.conf", r"rate=50r/s", "rate=1r/m")
    stack.change_nginx("limits.conf", r"rate=1000r/s", "rate=1r/m")
    stack.change_nginx("limits-poll.conf", r"letterbox_by_address 500", "letterbox_by_address 5")
    stack.change_nginx("limits-poll.conf", r"letterbox_by_user    100", "letterbox_by_user 3")
    stack.change_nginx("limits-poll.conf", r"burst=1000", "burst=20")
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
    """a user's polls that wait are bounded by nginx, wherever they come from, and another user's are not"""
    one, other = users(2)
    polls = [limited_stack.send_poll(one, headers=address(10 + i), client=f"c{i}", after=0) for i in range(4)]
    answers = refused(polls)
    assert len(answers) == 1 and is_too_many(answers[0])
    assert limited_stack.get("/poll", address(20), user=other, timeout=0).status == 200
    leave(polls)
    eventually(lambda: limited_stack.get("/poll", address(21), user=one, client="again", timeout=0).status == 200, "there is room again")


def test_polls_of_an_address(limited_stack, users):
    """an address' polls that wait are bounded, whoever they are for, and another address' are not"""
    names = users(7)
    polls = [limited_stack.send_poll(name, headers=address(30), after=0) for name in names[:6]]
    answers = refused(polls)
    assert len(answers) == 1 and is_too_many(answers[0])
    assert limited_stack.get("/poll", address(31), user=names[6], timeout=0).status == 200
    leave(polls)


def test_requests_to_poll(limited_stack, users):
    """an address that asks too often is refused, and another is not"""
    names = users(2)
    answers = [limited_stack.get("/poll", address(40), user=names[0], timeout=0) for _ in range(25)]
    assert [answer.status for answer in answers[:21]] == [200] * 21
    assert all(is_too_many(answer) for answer in answers[21:])
    assert limited_stack.get("/poll", address(41), user=names[1], timeout=0).status == 200


OFFICE = 450  # polls, of the 500 that limits-poll.conf allows an address


def test_message_to_an_office(new_stack, users):
    """as shipped, a large office behind one address that arrives at once, and polls again at once after a message to all, has nobody turned away"""
    stack, names = new_stack(), users(OFFICE)
    count(stack)
    stack.add_nginx("letterbox-poll.conf", "include limits-poll.conf;")
    stack.reload_nginx()
    for name in names:
        assert stack.request("PUT", f"/groups/office/{name}").status == 200
    assert asyncio.run(office(stack, names)) == [200] * (2 * OFFICE)


async def office(stack, names):
    """The statuses of two polls of each, the second one sent as the first is answered."""
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
    """an address that pushes too often is refused, and another is not"""
    answers = [limited_stack.push(user, "hello", address(50)) for _ in range(14)]
    assert all(is_accepted(answer) for answer in answers[:11])
    assert all(is_too_many(answer) for answer in answers[11:])
    assert is_accepted(limited_stack.push(user, "hello", address(51)))


def test_refusals_in_no_log(limited_stack, user):
    """whom nginx refuses it does not log with the query, in which there may be a token"""
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
    """in any time no more pushes are taken than that, by all workers together"""
    begun = time.monotonic()
    accepted = 0
    while time.monotonic() < begun + 3:
        accepted += slow_stack.push(user, "hello", bearer(KEYS[0])).status != 429
    assert accepted <= 2 * (time.monotonic() - begun + 1) + 1


def test_push_rate_of_a_key(slow_stack, user):
    """one key's pushes take nothing from the other's, nor do those without a key"""
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
    """without any of this nobody is held back"""
    for _ in range(200):
        assert is_accepted(stack.push(user, "hello"))
        assert stack.get("/poll", user=user, timeout=0).status == 200
