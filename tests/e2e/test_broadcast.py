# SPDX-License-Identifier: MIT
"""Broadcasts: one call to thousands of users, online or not, within bounds, while other requests are served."""

import asyncio
import contextlib
import json
import signal
import socket
import time

import pytest

from expect import data, is_accepted, is_error
from exposition import read
from keys import group_key, key, shared_key
from test_bounds import bounded
from waits import eventually
from web import DEADLINE, AsyncConnection, target


def fill(stack, group, names):
    pipeline = stack.redis.pipeline(transaction=False)
    for name in names:
        pipeline.zadd(group_key(group, name), {name: 0})
    pipeline.execute()


def summary(answer):
    return tuple(answer.json[name] for name in ("count", "accepted", "waiting", "failed"))


def kept(stack, names):
    """How many messages each user has."""
    pipeline = stack.redis.pipeline(transaction=False)
    for name in names:
        pipeline.llen(key("unacked", name))
    return pipeline.execute()


def test_ten_thousand(private_stack, users):
    """one call reaches ten thousand members who are away, each once, in little memory"""
    stack, names = private_stack, users(10_000)
    fill(stack, "everyone", names)
    with bounded(stack, "push", 30):
        answer = stack.push("group:everyone", "x" * 1000)
    assert answer.status == 202 and summary(answer) == (10_000, 10_000, 0, 0)
    assert answer.json["results"] == []
    assert set(kept(stack, names)) == {1}
    assert data(stack.look(names[-1], after=0)) == ["x" * 1000]


def test_parked(private_stack, users):
    """hundreds of parked polls all get a message to their group, once, and then the next"""
    stack, names = private_stack, users(400)
    fill(stack, "everyone", names)

    async def tell():
        clients = await asyncio.gather(*(AsyncConnection.open(stack.port) for _ in names))
        cursors = ["0"] * len(names)

        def poll(timeout):
            for client, name, cursor in zip(clients, names, cursors):
                client.send("GET", target("/poll", user=name, after=cursor, timeout=timeout))

        async def answers():
            return [answer.json for answer in await asyncio.wait_for(
                asyncio.gather(*(client.receive() for client in clients)), 60)]

        for text in ("one", "two"):
            poll(40)
            await asyncio.to_thread(eventually, lambda: parked(stack) == len(names), "all are parked")
            answer = await asyncio.to_thread(stack.push, "group:everyone", text)
            assert answer.status in (201, 202) and summary(answer)[:2] == (400, 400)
            got = await answers()
            assert all(data(one) == [text] for one in got)
            cursors[:] = [one["cursor"] for one in got]
        poll(0)
        assert all(one["count"] == one["missed"] == 0 for one in await answers())
        for client in clients:
            client.close()

    asyncio.run(tell())


def parked(stack):
    return read(stack.get("/metrics/poll").body.decode())["letterbox_polls_parked"].value()


def test_everybody(private_stack, users):
    """a star reaches the thousands of users who are online now, and no others"""
    stack, (gone, away, *here) = private_stack, users(3002)
    empty(stack)
    now = time.time() * 1000
    for name in here:
        stack.redis.zadd(shared_key("online", name), {name: now + 600_000})
    stack.redis.zadd(shared_key("online", gone), {gone: now - 1})
    assert summary(stack.push("*", "hello")) == (3000, 3000, 0, 0)
    assert summary(stack.push(["*", away, here[0]], "more")) == (3001, 3001, 0, 0)
    assert set(kept(stack, here)) == {2} and kept(stack, [gone, away]) == [0, 1]


def empty(stack):
    """Returns when the user whose poll tested the stack no longer counts as online."""
    eventually(lambda: stack.get("/users").json["online"] == 0, "nobody is online")


def test_nobody_online(private_stack):
    """a star while no user is online is a success that reaches none"""
    empty(private_stack)
    answer = private_stack.push("*", "hello")
    assert answer.status == 202 and summary(answer) == (0, 0, 0, 0)


def test_limits(new_stack, users):
    """beyond --broadcast-max and --broadcast-bytes a call is refused, and nothing of it is sent"""
    stack = new_stack(broadcast_max=300, broadcast_bytes=100_000, recipients_max=5)
    names = users(301)
    fill(stack, "large", names)
    fill(stack, "most", names[:300])
    assert is_error(stack.push("group:large", "x"), 400, "too_many_recipients")
    assert is_error(stack.push(["group:most", names[-1]], "x"), 400, "too_many_recipients")
    assert is_error(stack.push("group:most", "x" * 400), 413, "too_large")
    assert is_error(stack.push([f"group:g{number}" for number in range(6)], "x"), 400, "too_many_recipients")
    assert set(kept(stack, names)) == {0}
    assert summary(stack.push("group:most", "x" * 200)) == (300, 300, 0, 0)


def test_failures(private_stack, users):
    """the users who can't be delivered to are told by name, at most a hundred, and all others get the message"""
    stack, names = private_stack, users(400)
    fill(stack, "everyone", names)
    broken = names[::3]
    for name in broken:
        stack.redis.rpush(key("base", name), "no record")
    answer = stack.push("group:everyone", "hello")
    assert answer.status == 409 and summary(answer) == (400, 400 - len(broken), 0, len(broken))
    assert len(answer.json["results"]) == 100
    assert {result["error"]["code"] for result in answer.json["results"]} == {"broken_data"}
    assert {result["to"] for result in answer.json["results"]} <= set(broken)
    assert sum(kept(stack, names)) == 400 - len(broken)


@pytest.mark.one_redis
def test_replicas(new_stack, users):
    """if --redis-replicas are not there, a broadcast is 503 as a push is"""
    stack = new_stack(redis_replicas=1)
    fill(stack, "everyone", users(120))
    answer = stack.push("group:everyone", "hello")
    assert answer.status == 503 and summary(answer) == (120, 0, 0, 120)
    assert len(answer.json["results"]) == 100


@pytest.mark.one_redis
def test_redis_hangs(new_stack, users):
    """while Redis hangs a broadcast to thousands is soon answered by 503, and the program serves again when it is back"""
    stack = new_stack(workers=1, redis_timeout=1)
    names = users(5000)
    fill(stack, "everyone", names)
    stack.kill("redis", signal.SIGSTOP)
    try:
        assert is_error(stack.push("group:everyone", "hello"), 503, "store_unavailable")
    finally:
        stack.kill("redis", signal.SIGCONT)
    eventually(lambda: is_accepted(stack.push(names[0], "again")), "Redis is back")


def test_beside_others(new_stack, users):
    """while a broadcast to tens of thousands is under way, other pushes of the same worker are answered"""
    stack = new_stack(workers=1)
    single, *names = users(40_001)
    fill(stack, "everyone", names)
    with stack.connect() as broadcast, stack.connect() as other:
        broadcast.request("POST", target("/push", to="group:everyone"), (), b"hello")
        answered = 0
        while broadcast.quiet():
            assert is_accepted(other.exchange("POST", target("/push", to=single), (), b"hello"))
            answered += 1
        assert summary(broadcast.receive(60)) == (40_000, 40_000, 0, 0)
    assert answered > 1
    assert set(kept(stack, names)) == {1}


@pytest.mark.one_redis
def test_beside_batches(new_stack):
    """a push waits for about a hundred messages of the batches before it together, not of each"""
    stack = new_stack(workers=1, redis_timeout=60)
    stack.pushed("bob", "the first one loads the script")
    batches = [json.dumps([{"to": f"user{batch}.{number}"} for number in range(200)]).encode() for batch in range(20)]
    with contextlib.ExitStack() as open_ones, socket.socket(socket.AF_UNIX) as monitor:
        pushers = [open_ones.enter_context(stack.connect()) for _ in batches]
        other = open_ones.enter_context(stack.connect())
        monitor.connect(str(stack.socket("redis")))
        monitor.settimeout(DEADLINE)
        monitor.sendall(b"MONITOR\r\n")
        lines = monitor.makefile("rb")
        assert lines.readline() == b"+OK\r\n"
        stack.kill("redis", signal.SIGSTOP)
        try:
            for pusher, body in zip(pushers, batches):
                pusher.request("POST", "/push", [("Content-Type", "application/json")], body)
            in_hand(stack, 20)
            other.request("POST", target("/push", to="bob"), (), b"hello")
            in_hand(stack, 21)
        finally:
            stack.kill("redis", signal.SIGCONT)
        before = 0
        for line in lines:
            if b' "EVALSHA" ' in line:
                others, bob, _ = line.partition(b"mailbox:{bob}")
                before += others.count(b"mailbox:{")
                if bob:
                    break
        assert is_accepted(other.receive())
        for pusher in pushers:
            answer = pusher.receive()
            assert answer.status == 202 and len(answer.json["results"]) == 200
    assert 0 < before <= 150


def in_hand(stack, count):
    """Returns when letterbox-push has that number of requests that it has not answered."""
    def has_them():
        metrics = read(stack.get("/metrics").body.decode())
        return metrics["letterbox_requests_in_flight"].value() == count + 1  # this one
    eventually(has_them, f"{count} requests are under way")
