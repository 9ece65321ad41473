# SPDX-License-Identifier: MIT
"""Pushes that come again with their Idempotency-Key, and pushes that replace one another."""

import itertools
import json
import signal
import threading
import uuid

import pytest

from expect import data, is_accepted, is_error, seq
from waits import eventually


def with_key(key):
    return [("Idempotency-Key", key)]


def is_replayed(again, first):
    """The answer is the first one once more, and says so."""
    assert (again.status, again.body) == (first.status, first.body), (again, first)
    assert again.header("Idempotency-Replayed") == "true" and first.header("Idempotency-Replayed") is None
    return True


@pytest.fixture
def key():
    return uuid.uuid4().hex


def test_pushed_once(stack, user, key):
    """a push that comes again with its key is answered the same, and is not pushed again"""
    first = stack.push(user, "hello", with_key(key))
    assert is_accepted(first)
    assert is_accepted(stack.push(user, "between"))
    assert is_replayed(stack.push(user, "hello", with_key(key)), first)
    assert data(stack.look(user, after=0)) == ["hello", "between"]


def test_key_reused(stack, user, key):
    """a key with other content is refused, and nothing is pushed"""
    assert is_accepted(stack.push(user, "hello", with_key(key)))
    assert is_error(stack.push(user, "other", with_key(key)), 409, "key_reused")
    assert is_error(stack.push(user, "hello", with_key(key), type="mail"), 409, "key_reused")
    assert is_error(stack.push(user + "x", "hello", with_key(key)), 409, "key_reused")
    assert data(stack.look(user, after=0)) == ["hello"]
    assert stack.mailbox(user + "x")["newest"] is None


@pytest.mark.parametrize("bad", ["k" * 129, "caf\u00e9", "a\tb"])
def test_bad_key(stack, user, bad):
    """a key that is too long, or not printable ASCII, is refused"""
    answer = stack.push(user, "hello", with_key(bad))
    assert is_error(answer, 400, "bad_idempotency_key")
    assert stack.mailbox(user)["newest"] is None


def test_several(stack, users, key):
    """to several users, a list or a batch, a key holds for each of them"""
    names = ",".join(users(3))
    first = stack.push(names, "hello", with_key(key))
    assert is_replayed(stack.push(names, "hello", with_key(key)), first)
    for name in names.split(","):
        assert data(stack.look(name, after=0)) == ["hello"]


def test_envelope_keys(stack, user, key):
    """in a batch each envelope may have a key of its own"""
    one = {"to": user, "data": 1, "idempotency_key": key}
    first = stack.push_json(json.dumps(one))
    assert is_replayed(stack.push_json(json.dumps(one)), first)
    answer = stack.push_json(json.dumps([one, {"to": user, "data": 2}, {**one, "data": 3}]))
    assert answer.status == 409
    results = answer.json["results"]
    assert results[0]["id"] == first.json["id"]
    assert results[2]["error"]["code"] == "key_reused"
    assert data(stack.look(user, after=0)) == [1, 2]


def test_group(stack, users, key):
    """a push to a group is answered the same even if the group has other members by then"""
    alice, bob, carol = users(3)
    group = "team-" + key
    for name in (alice, bob):
        assert stack.request("PUT", f"/groups/{group}/{name}").status == 200
    first = stack.push("group:" + group, "hello", with_key(key))
    assert first.json["accepted"] == 2
    stack.request("DELETE", f"/groups/{group}/{alice}")
    stack.request("PUT", f"/groups/{group}/{carol}")
    assert is_replayed(stack.push("group:" + group, "hello", with_key(key)), first)
    assert data(stack.look(bob, after=0)) == ["hello"]
    assert stack.mailbox(carol)["newest"] is None


def test_life(new_stack, user, key):
    """after --idempotency-life a key is new again"""
    stack = new_stack(idempotency_life=1)
    first = stack.push(user, "hello", with_key(key))

    def is_new():
        answer = stack.push(user, "hello", with_key(key))
        return answer.header("Idempotency-Replayed") is None and answer.json["id"] != first.json["id"]

    eventually(is_new, "the key has been forgotten")


@pytest.mark.parametrize("part", ["push", pytest.param("redis", marks=pytest.mark.one_redis)])
def test_repeated_until_accepted(private_stack, user, part):
    """a back end that repeats each push until it is accepted has pushed each message once, whatever is killed meanwhile"""
    stack = private_stack
    count = 400
    progress = itertools.count()
    reached = [0]
    troubles = []

    def push_all():
        for number in range(count):
            body, key = str(number), f"{user}-{number}"

            def accepted():
                try:
                    return stack.push(user, body, with_key(key)).status in (201, 202)
                except (OSError, EOFError, ValueError):
                    return False

            try:
                eventually(accepted, f"{number} is accepted", deadline=30)
            except AssertionError as error:
                troubles.append(error)
                return
            reached[0] = next(progress)

    pusher = threading.Thread(target=push_all, daemon=True)
    pusher.start()
    for blow in range(1, 4):
        eventually(lambda: reached[0] >= blow * count // 5 or not pusher.is_alive(), "some are pushed", deadline=60)
        if part == "redis":
            stack.end("redis", signal.SIGKILL)
            stack.service("start")
        else:
            stack.crash("push")
    pusher.join(120)
    assert not pusher.is_alive() and not troubles, troubles
    assert data(stack.look(user, after=0, limit=1000)) == [str(number) for number in range(count)]


# --- collapse ------------------------------------------------------------------------------------


def test_collapse(stack, user):
    """collapse=KEY replaces what is unread under that key, which is neither delivered nor missed"""
    stack.push(user, "old mail")
    for number in range(3):
        assert is_accepted(stack.push(user, f"quota {number}", collapse="quota"))
    stack.push(user, "new mail")
    answer = stack.look(user, after=0)
    assert data(answer) == ["old mail", "quota 2", "new mail"]
    assert seq(answer["cursor"]) == 5
    # What was read is not replaced.
    stack.push(user, "quota 3", collapse="quota")
    assert data(stack.look(user, after=answer["cursor"])) == ["quota 3"]


def test_collapse_envelope(stack, user):
    """an envelope has its own collapse, or that of the query"""
    batch = [{"to": user, "data": 1, "collapse": "a"}, {"to": user, "data": 2}, {"to": user, "data": 3, "collapse": "a"}, {"to": user, "data": 4}]
    assert stack.push_json(json.dumps(batch), collapse="b").status in (201, 202)
    assert data(stack.look(user, after=0)) == [3, 4]


@pytest.mark.parametrize("bad", ["", "a b", "k" * 65])
def test_bad_collapse(stack, user, bad):
    """a collapse that can't be a key is refused"""
    assert is_error(stack.push(user, "hello", collapse=bad), 400, "bad_collapse")


def test_collapse_keeps_messages(stack, user):
    """a message that is replaced thousands of times pushes no other out of the mailbox"""
    first = stack.pushed(user, "mail")
    batch = json.dumps([{"to": user, "data": n, "collapse": "quota"} for n in range(1000)])
    for _ in range(3):
        assert stack.push_json(batch).status in (201, 202)
    answer = stack.look(user, after=0, limit=1000)
    messages = answer["messages"]
    while answer["cursor"] != stack.mailbox(user)["newest"]:
        answer = stack.look(user, after=answer["cursor"], limit=1000)
        messages += answer["messages"]
    assert [message["data"] for message in messages] == ["mail", 999] and messages[0]["id"] == first
