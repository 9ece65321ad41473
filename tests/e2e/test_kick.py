# SPDX-License-Identifier: MIT
"""Kicks and locks: every parked poll of the user is answered at once, in every program, and the next request says why."""

import json
import signal
import time

import pytest

from expect import data, is_error
from keys import key
from test_tokens import bearer, issued, post
from test_two_polls import TwoPolls
from waits import eventually


@pytest.fixture
def two_polls(private_stack):
    """Two poll programs, taken in turns."""
    polls = TwoPolls(private_stack, hashed=False)
    yield polls
    polls.end()


def waiting(answer):
    return answer["count"], answer["messages"], answer["reason"]


def test_kick(stack, users):
    """a kick ends every poll of the user with "kicked", other users wait on, and the next request is 403 kicked with its reason"""
    user, other = users(2)
    polls = [stack.park(user, beside=beside, client=client, after=0) for beside, client in enumerate(("a", "b", "c"))]
    stays = stack.park(other, after=0)
    assert post(stack, "/users/kick", user=user, reason="too loud").json == {"kicked": True}
    assert [waiting(poll.answer()) for poll in polls] == [(0, [], "kicked")] * 3
    for path in ("/poll", "/alive"):
        answer = stack.get(path, user=user, timeout=0)
        assert is_error(answer, 403, "kicked") and "too loud" in answer.json["error"]["message"]
    stack.pushed(other, "hello")
    assert data(stays.answer()) == ["hello"]


def test_kick_ends(stack, user):
    """a user without a token is let in again when the time of the kick is over, and has lost no message"""
    cursor = stack.look(user, after=0)["cursor"]
    assert post(stack, "/users/kick", user=user, **{"for": 0.2}).status == 200
    stack.pushed(user, "meanwhile")
    eventually(lambda: stack.get("/poll", user=user, timeout=0, after=cursor).status == 200, "it is let in again")
    assert data(stack.look(user, after=cursor)) == ["meanwhile"]


def test_kick_and_a_new_token(stack, user):
    """a token from before a kick is bad, one that is issued afterwards is good: a new login"""
    before = issued(stack, user)["token"]
    assert stack.get("/poll", bearer(before), timeout=0).status == 200
    assert post(stack, "/users/kick", user=user).status == 200
    # (A worker that has cached the token hears of the kick from Redis, and a request may be there first.)
    eventually(lambda: stack.get("/poll", bearer(before), timeout=0).status == 403, "the kick has been heard of")
    assert is_error(stack.get("/poll", bearer(before), timeout=0), 403, "kicked")
    second = time.time()
    eventually(lambda: time.time() > second + 0.002, "a later millisecond")
    after = issued(stack, user)["token"]
    assert stack.get("/poll", bearer(after), timeout=0).status == 200
    assert is_error(stack.get("/poll", bearer(before), timeout=0), 403, "kicked")


def test_kick_in_two_programs(two_polls, private_stack, user):
    """a kick reaches the polls in every program"""
    polls = [private_stack.park(user, beside=beside, client=client, after=0) for beside, client in enumerate(("a", "b"))]
    assert len(two_polls.watchers(user)) == 2
    assert post(private_stack, "/users/kick", user=user).status == 200
    assert [poll.answer()["reason"] for poll in polls] == ["kicked"] * 2
    for _ in range(4):
        assert is_error(private_stack.get("/poll", user=user, timeout=0), 403, "kicked")


def test_lock(stack, user):
    """a locked user's polls end, and new ones are 403 locked until the user is unlocked; messages are kept"""
    poll = stack.park(user, after=0)
    assert post(stack, "/users/lock", user=user, reason="unpaid").json == {"locked": True}
    assert waiting(poll.answer()) == (0, [], "kicked")
    token = issued(stack, user)["token"]
    for headers, query in ((), {"user": user}), (bearer(token), {}):
        for path in ("/poll", "/alive"):
            answer = stack.get(path, headers, timeout=0, **query)
            assert is_error(answer, 403, "locked") and "unpaid" in answer.json["error"]["message"]
    stack.pushed(user, "kept")
    assert stack.redis.ttl(key("standing", user)) == -1
    assert post(stack, "/users/unlock", user=user).json == {"locked": False, "was_locked": True}
    assert post(stack, "/users/unlock", user=user).json == {"locked": False, "was_locked": False}
    assert data(stack.look(user, after=0)) == ["kept"]


@pytest.mark.one_redis
@pytest.mark.parametrize("break_it", ["CLIENT KILL TYPE normal", "DEL letterbox:notices letterbox:notice-count", "FLUSHALL and lock again"])
def test_unheard(private_stack, user, break_it):
    """a lock reaches a parked poll also if its notice goes unheard or has no place in the order"""
    stack = private_stack
    other = f"{user}-other"
    assert post(stack, "/users/kick", user=other).status == 200
    poll = stack.park(user, after=0)
    with stack.redis as redis:
        if break_it.startswith("FLUSHALL"):
            redis.flushall()
            assert post(stack, "/users/lock", user=user).status == 200
        elif break_it.startswith("DEL"):
            redis.delete("letterbox:notices", "letterbox:notice-count")
            redis.hset(key("standing", user), "locked", f"{int(time.time() * 1000)} unheard")  # without a notice
            assert post(stack, "/users/kick", user=other).status == 200
        else:
            redis.hset(key("standing", user), "locked", f"{int(time.time() * 1000)} unheard")
            redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert poll.answer()["reason"] == "kicked"
    assert is_error(stack.get("/poll", user=user, timeout=0), 403, "locked")


@pytest.mark.one_redis
def test_redis_stands_still(private_stack, user):
    """while Redis is stopped cached admissions count only until the connection times out; changes made meanwhile count afterwards"""
    stack = private_stack
    assert stack.get("/poll", user=user, timeout=0).status == 200
    stack.redis.config_set("appendonly", "no")
    stack.kill("redis", signal.SIGSTOP)
    eventually(lambda: is_error(stack.get("/poll", user=user, timeout=0), 503, "store_unavailable"), "Redis is away", deadline=30)
    stack.kill("redis", signal.SIGCONT)
    eventually(lambda: post(stack, "/users/lock", user=user).status == 200, "it is back", deadline=30)
    eventually(lambda: is_error(stack.get("/poll", user=user, timeout=0), 403, "locked"), "the lock counts", deadline=30)


@pytest.mark.parametrize("path", ["/users/kick", "/users/lock", "/users/unlock"])
@pytest.mark.parametrize("document, code", [
    ("", "bad_json"), ("[]", "bad_request"), ("{}", "missing_user"), ('{"user":"a b"}', "bad_user"), ('{"user":"a","reason":7}', "bad_request"),
    (json.dumps({"user": "a", "reason": "x" * 201}), "bad_request"), ('{"user":"a","for":-1}', "bad_request"),
])
def test_bad_orders(stack, path, document, code):
    """an order with a fault is refused with a code that says why"""
    assert is_error(stack.request("POST", path, body=document.encode()), 400, code)


def test_alive(stack, user):
    """/alive tells the user, what is unread, the time and when the token ends; it is never cached, and takes nothing out of the mailbox"""
    for number in range(3):
        stack.pushed(user, str(number))
    cursor = stack.look(user, after=0, limit=1, client="tab")["cursor"]
    token = issued(stack, user, ttl=600, data={"name": "Alice"})
    for method in ("GET", "POST"):
        before = time.time() * 1000
        answer = stack.request(method, "/alive", bearer(token["token"]))
        assert answer.status == 200 and answer.header("Cache-Control") == "no-store"
        assert set(answer.json) == {"user", "unread", "time", "expires", "data"}
        assert answer.json["user"] == user and answer.json["unread"] == 3 and answer.json["data"] == {"name": "Alice"}
        assert answer.json["expires"] == token["expires"] and before - 1 <= answer.json["time"] <= time.time() * 1000 + 1
    assert stack.get("/alive", user=user).json["expires"] is None
    stack.look(user, after=cursor, client="tab")
    assert stack.get("/alive", user=user, client="tab").json["unread"] == 2
    stack.look(user, after=0, client="phone")
    assert stack.get("/alive", user=user, client="phone").json["unread"] == 2


def test_alive_of_nobody(stack):
    """/alive without an identity is 401, and takes only GET and POST"""
    assert is_error(stack.get("/alive"), 401, "no_identity")
    assert is_error(stack.request("DELETE", "/alive?user=alice"), 405, "wrong_method")
