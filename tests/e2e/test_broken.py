# SPDX-License-Identifier: MIT
"""Foreign values at Letterbox's keys in Redis: each is reported by its key, no change is half done, and there is a cure."""

import time

import pytest

from expect import data, is_error
from keys import key
from test_tokens import issued, post
from waits import eventually


def breaks(redis, part, user):
    """Replaces the value of a key by a string; of base, by one that is no record."""
    redis.delete(key(part, user))
    redis.set(key(part, user), "not what it was")


def names(answer, what):
    """An answer that is terminal, and names the broken key."""
    assert is_error(answer, 409, "broken_data"), answer
    error = answer.json["error"]
    return error["terminal"] is True and what in error["message"]


@pytest.mark.parametrize("part", ["base", "unacked", "mailbox", "clients"])
def test_mailbox(stack, user, part):
    """a mailbox with a key that can't be parsed is 409 broken_data that names the key, stores nothing, and is cured by DELETE"""
    for _ in range(2):
        stack.pushed(user, "before")
    stack.look(user, after=0)
    kept = stack.redis.lrange(key("unacked", user), 0, -1) if part != "unacked" else None
    breaks(stack.redis, part, user)
    for _ in range(3):
        assert names(stack.push(user, "hello"), key(part, user))
        assert names(stack.get("/poll", user=user, timeout=0, after=0), key(part, user))
        assert names(stack.get("/mailbox", user=user), key(part, user))
    if part != "mailbox":
        assert names(stack.get("/alive", user=user), key(part, user))
    if kept is not None:
        assert stack.redis.lrange(key("unacked", user), 0, -1) == kept
    assert stack.request("DELETE", f"/mailbox?user={user}").json == {"deleted": True}
    stack.pushed(user, "healed")
    assert data(stack.look(user, after=0)) == ["healed"]
    assert stack.mailbox(user)["queued"] == 1


def test_a_client(stack, user):
    """one bad line in clients is that client's error alone"""
    stack.pushed(user, "one")
    stack.redis.hset(key("clients", user), "bad", "no line")
    assert names(stack.get("/poll", user=user, client="bad", timeout=0, after=0), key("clients", user))
    assert names(stack.get("/alive", user=user, client="bad"), key("clients", user))
    assert data(stack.look(user, client="good", after=0)) == ["one"]
    stack.pushed(user, "two")
    assert stack.get("/alive", user=user, client="good").json["unread"] == 2
    assert stack.request("DELETE", f"/mailbox?user={user}").json == {"deleted": True}
    assert stack.look(user, client="bad", after=0)["count"] == 0


def test_a_parked_poll(private_stack, user):
    """a parked poll whose mailbox breaks is told so, at the latest by the next ring"""
    parked = private_stack.park(user, after=0)
    breaks(private_stack.redis, "base", user)
    private_stack.redis.rpush(key("mailbox", user), "\x01*%d" % (time.time() * 1000))
    assert names(parked.connection.receive(), key("base", user))


def test_several(stack, users):
    """among several recipients only the one whose mailbox is broken does not get the message"""
    one, broken, other = users(3)
    breaks(stack.redis, "mailbox", broken)
    answer = stack.push([one, broken, other], "hello")
    assert answer.status == 409
    results = answer.json["results"]
    assert results[1]["error"]["code"] == "broken_data" and key("mailbox", broken) in results[1]["error"]["message"]
    assert "id" in results[0] and "id" in results[2]
    assert stack.redis.exists(key("unacked", broken)) == 0


@pytest.mark.one_redis
@pytest.mark.parametrize("reign", ["x", "-5", "1795287654123000", "4102444800000"])
def test_reign(private_stack, user, reign):
    """with an impossible reign no push is taken, and /readyz of both programs names the key"""
    stack = private_stack
    stack.pushed(user, "one")
    stack.redis.set("letterbox:reign", reign)
    answer = stack.push(user, "two")
    assert is_error(answer, 503, "store_unavailable") and "letterbox:reign" in answer.json["error"]["message"]
    for where in ("/readyz", "/readyz/poll"):
        def said():
            ready = stack.get(where)
            return ready.status == 503 and "letterbox:reign" in ready.json["error"]["message"]
        eventually(said, f"{where} says so")
    stack.redis.delete("letterbox:reign")
    stack.pushed(user, "two")
    assert data(stack.look(user, after=0)) == ["one", "two"]
    stack.finds_redis()


def test_kick_that_cannot_be_read(stack, user):
    """a kick that can't be parsed keeps the user out, an unlock says what it has done, and a new kick replaces it"""
    stack.redis.hset(key("standing", user), mapping={"kicked": "x", "locked": f"{int(time.time() * 1000)} unpaid"})
    assert is_error(stack.get("/poll", user=user, timeout=0), 403, "locked")
    answer = post(stack, "/users/unlock", user=user)
    assert answer.status == 200 and answer.json == {"locked": False, "was_locked": True}
    assert is_error(stack.get("/poll", user=user, timeout=0), 403, "kicked")
    assert post(stack, "/users/kick", user=user, **{"for": 0.001}).status == 200
    eventually(lambda: stack.get("/poll", user=user, timeout=0).status == 200, "it is let in again")


def test_standing_of_another_type(stack, user):
    """a foreign value at the key of a standing keeps the user out by 409, until an unlock"""
    stack.redis.set(key("standing", user), "x")
    assert names(stack.get("/poll", user=user, timeout=0), key("standing", user))
    assert post(stack, "/users/unlock", user=user).json["was_locked"] is True
    eventually(lambda: stack.get("/poll", user=user, timeout=0).status == 200, "it is let in again")


def test_tokens_of_another_type(stack, user):
    """a foreign value at the key of a user's tokens is 409, until all are revoked"""
    stack.redis.set(key("tokens", user), "x")
    assert names(post(stack, "/tokens", user=user), key("tokens", user))
    assert names(stack.get("/tokens", user=user), key("tokens", user))
    assert stack.request("DELETE", f"/tokens?user={user}").json == {"revoked": 0}
    assert issued(stack, user)["token"]


def test_unread_after_a_fork(private_stack, user):
    """/alive counts on after Redis has lost its latest messages: only those since are unread"""
    stack = private_stack
    cursor = [stack.pushed(user, "text") for _ in range(5)][-1]
    stack.look(user, client="behind", after=0)
    stack.look(user, client="tab", after=cursor)
    stack.redis.set("letterbox:reign", int(time.time() * 1000) + 1)
    stack.pushed(user, "first of another epoch")
    assert stack.get("/alive", user=user, client="tab").json["unread"] == 1
    assert stack.get("/alive", user=user, client="behind").json["unread"] == 6
