# SPDX-License-Identifier: MIT
"""DELETE /users/U: nothing is left of an erased user that anybody could read, and nobody else loses anything."""

import json

import pytest

from expect import data, is_error
from keys import group_key, key, shared_key
from stack import Stack
from waits import eventually


@pytest.fixture(scope="module")
def closed():
    """A stack where only a token says who one is, and that tells who comes and goes."""
    stack = Stack(shared=True, open=0, workers=2, events_to="watcher").start()
    yield stack
    stack.stop()


def issued(stack, user):
    answer = stack.request("POST", "/tokens", body=json.dumps({"user": user}).encode())
    assert answer.status == 201, answer
    return answer.json["token"]


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def erased(stack, user):
    answer = stack.request("DELETE", f"/users/{user}")
    assert answer.status == 200 and answer.json["user"] == user and answer.json["erased"] is True, answer
    return answer.json


def left_of(stack, user):
    """The keys and entries of Redis that have the user's name in them."""
    redis, name = stack.redis, user.encode()
    keys = {key for key in redis.keys("*") if name in key}
    lists = {key for key in redis.keys("*") if redis.type(key) == b"zset" and name in b" ".join(redis.zrange(key, 0, -1))}
    return {key.decode() for key in keys | lists}


def test_erased(closed, users):
    """all of a user is erased: mailbox, tokens, lock, groups and presence; the answer says what there was"""
    user, other = users(2)
    for _ in range(3):
        closed.pushed(user, "hello")
    token, kept = issued(closed, user), issued(closed, other)
    for name in (user, other):
        assert closed.request("PUT", f"/groups/team.{user}/{name}").status == 200
    assert closed.request("PUT", f"/groups/alone.{user}/{user}").status == 200
    assert closed.get("/alive", bearer(token), client="tab").json["unread"] == 3
    eventually(lambda: closed.get("/users", user=user).json["online"], "the user is online")
    closed.request("POST", "/users/lock", body=json.dumps({"user": user, "reason": "unpaid"}).encode())
    assert erased(closed, user) == {"user": user, "erased": True, "messages": 3, "tokens": 1, "scheduled": 0,
                                    "groups": [f"alone.{user}", f"team.{user}"], "standing": True, "presence": True}
    # What is left of a name: that tokens signed before are invalid, and for a minute that a new mailbox is another one.
    names = {key("base", user), key("standing", user), group_key(f"team.{user}", other), shared_key("groups", other), key("groups", other)}
    assert left_of(closed, user) <= names
    assert set(closed.redis.hgetall(key("standing", user))) == {b"revoked"}
    assert is_error(closed.get("/poll", bearer(token), timeout=0), 401, "bad_token")
    shown = closed.get("/users", user=user).json
    assert (shown["online"], shown["locked"], shown["groups"], shown["clients"]) == (False, None, [], [])
    assert closed.mailbox(user)["queued"] == 0
    assert closed.get("/poll", bearer(kept), timeout=0).status == 200
    assert [each["user"] for each in closed.get(f"/groups/team.{user}").json["members"]] == [other]


def test_erased_again(closed, user):
    """a user who is erased twice, or was never there, has nothing to lose, and may come again"""
    nothing = {"messages": 0, "tokens": 0, "scheduled": 0, "groups": [], "standing": False, "presence": False}
    for _ in range(2):
        assert erased(closed, user) == {"user": user, "erased": True} | nothing
    closed.pushed(user, "again")
    assert data(closed.get("/poll", bearer(issued(closed, user)), timeout=0, after=0).json) == ["again"]


def test_parked_polls(closed, users):
    """the parked polls and streams of an erased user end at once, those of others stay"""
    user, other = users(2)
    token = issued(closed, user)
    polls = [closed.send_poll(None, bearer(token), client=client, after=0) for client in ("a", "b")]
    stays = closed.send_poll(None, bearer(issued(closed, other)), after=0)
    closed.has_polls(user, 2)
    closed.has_polls(other, 1)
    erased(closed, user)
    assert [poll.answer()["reason"] for poll in polls] == ["kicked"] * 2
    assert stays.waits()
    closed.pushed(other, "hello")
    assert data(stays.answer()) == ["hello"]


def test_cursor_of_an_erased_user(closed, user):
    """a cursor of before is answered by a reset, never by what another mailbox has at that place"""
    closed.pushed(user, "before")
    cursor = closed.get("/poll", bearer(issued(closed, user)), timeout=0, after=0).json["cursor"]
    erased(closed, user)
    closed.pushed(user, "after")
    answer = closed.get("/poll", bearer(issued(closed, user)), timeout=0, after=cursor).json
    assert answer["reset"] is True and data(answer) == ["after"]


def test_event(closed, user):
    """an erased user who was online has left: user.offline is told, once"""
    closed.get("/alive", bearer(issued(closed, user)))
    watcher = issued(closed, "watcher")

    def told():
        messages = closed.get("/poll", bearer(watcher), timeout=0, after=0, limit=1000).json["messages"]
        return [message["type"] for message in messages if message["data"]["user"] == user]

    eventually(lambda: told() == ["user.online"], "it is told that the user came")
    assert erased(closed, user)["presence"] is True
    eventually(lambda: told() == ["user.online", "user.offline"], "it is told that the user left")


@pytest.mark.parametrize("path, code", [("a%20b", "bad_user"), ("u" * 129, "bad_user"), ("*", "bad_user"), ("%C3%A9", "bad_user"), ("%00", "bad_user")])
def test_bad_names(closed, path, code):
    """a name that no user can have is refused"""
    answer = closed.request("DELETE", f"/users/{path}")
    assert answer.status == 400 and (path == "%00" or is_error(answer, 400, code))


def test_paths(closed, user):
    """only DELETE erases, and only a whole path"""
    for method in ("GET", "POST", "PUT"):
        answer = closed.request(method, f"/users/{user}")
        assert is_error(answer, 405, "wrong_method") and answer.header("Allow") == "DELETE"
    assert is_error(closed.request("DELETE", f"/users/{user}/x"), 404, "unknown_route")
    assert is_error(closed.request("DELETE", "/users/"), 404, "unknown_route")
    assert is_error(closed.request("DELETE", f"/users?user={user}"), 405, "wrong_method")
    assert closed.request("DELETE", "/users/kick").json["user"] == "kick"


def test_broken(closed, user):
    """a user is erased whatever Redis holds in the place of its keys"""
    keys = [key(kind, user) for kind in ("base", "unacked", "mailbox", "clients", "tokens", "standing", "presence", "groups", "scheduled", "collapse")]
    for each in keys:
        closed.redis.set(each, "x")
    assert is_error(closed.push(user, "hello"), 409, "broken_data")
    assert is_error(closed.get("/users", user=user), 409, "broken_data")
    erased(closed, user)
    closed.pushed(user, "hello")
    assert closed.get("/users", user=user).json["groups"] == []


@pytest.mark.one_redis
def test_redis_away(private_stack):
    """while Redis is away it is not said that anybody was erased"""
    private_stack.end("redis")
    assert is_error(private_stack.request("DELETE", "/users/alice"), 503, "store_unavailable")
