# SPDX-License-Identifier: MIT
"""Reads that bring a mebibyte each take turns, so that no other request waits long for Redis, or takes it to be away."""

import asyncio
import collections
import json
import resource
import threading

import pytest

from expect import data, is_accepted
from exposition import read as read_metrics
from stack import SANITIZED
from waits import eventually
from web import AsyncConnection, Closed, target

LONG = "x" * 16_384
NO_ANSWER = (OSError, EOFError, Closed, asyncio.IncompleteReadError)


@pytest.fixture(autouse=True)
def descriptors():
    """A thousand connections, and everything else."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd:
    """`size` connections that each ask the same again as soon as they are answered, in a thread of their own."""

    def __init__(self, stack, size, where):
        self.port, self.size, self.where = stack.port, size, where
        self.asking = 0  # connections that have asked, each counted once
        self.answers = collections.Counter()  # by status, and reason or code
        self.ends = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.all()))

    def __enter__(self):
        """Returns when all of them have asked."""
        self.thread.start()
        eventually(lambda: self.asking >= self.size, "the whole crowd asks", deadline=60)
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    async def all(self):
        tasks = [asyncio.create_task(self.one()) for _ in range(self.size)]
        while not self.ends.is_set() and not all(task.done() for task in tasks):
            await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def one(self):
        while True:
            connection = None
            try:
                connection = await AsyncConnection.open(self.port)
                connection.send("GET", self.where)
                self.asking += 1
                while True:
                    answer = await connection.receive()
                    document = answer.json
                    what = document["reason"] if answer.status == 200 else document["error"]["code"]
                    self.answers[answer.status, what] += 1
                    connection.send("GET", self.where)
            except NO_ANSWER:
                self.answers[0, "no answer"] += 1
                await asyncio.sleep(0.1)
            finally:
                if connection:
                    connection.close()


def away(stack):
    """How often the programs have lost Redis."""
    return [line for part in stack.programs for line in (stack.dir / "log" / f"{part}.log").read_text().splitlines()
            if "is away" in line]


def test_one_user(new_stack):
    """a thousand connections that ask for one user's mebibyte again and again make no request of another user fail"""
    stack = new_stack()
    for _ in range(70):
        stack.pushed("alice", LONG)
    after = 0
    with Crowd(stack, 1000 // SANITIZED, target("/poll", user="alice", client="one", after=0, timeout=0)) as crowd:
        for number in range(40):
            assert is_accepted(stack.push("bob", str(number)))
            document = stack.look("bob", client="b", after=after)
            assert data(document) == [str(number)]
            after = document["cursor"]
    assert not away(stack)
    assert {status for status, _ in crowd.answers} == {200}, crowd.answers
    assert crowd.answers[200, "messages"] >= 1
    assert stack.look("alice", client="another", after=0)["count"] == 64


def test_many_users(new_stack):
    """three hundred users who come back at once to a mebibyte each all get it, and no request is refused"""
    stack = new_stack()
    users = [f"u{number}" for number in range(300)]
    for _ in range(64):
        assert stack.push_json(json.dumps({"to": users, "data": LONG})).status == 202

    async def one(user):
        connection = await AsyncConnection.open(stack.port)
        try:
            return await connection.exchange("GET", target("/poll", user=user, client="c", after=0))
        finally:
            connection.close()

    async def every():
        return [(answer.status, answer.json["count"]) for answer in await asyncio.gather(*map(one, users))]

    answers = collections.Counter(asyncio.run(every()))
    assert answers == {(200, 64): 300}
    assert not away(stack)


def test_its_figures(new_stack):
    """polls that wait for their turn, and reads under way, are counted, and none is left at the end"""
    stack = new_stack(workers=1)
    for _ in range(70):
        stack.pushed("alice", LONG)
    with Crowd(stack, 100, target("/poll", user="alice", client="one", after=0, timeout=0)):
        stack.look("bob")

    def nobody_waits():
        metrics = read_metrics(stack.get("/metrics/poll").body.decode())
        return metrics["letterbox_polls_queued"].value() == metrics["letterbox_reads_under_way"].value() == 0

    eventually(nobody_waits, "the last turn is over")
