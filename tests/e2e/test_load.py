# SPDX-License-Identifier: MIT
"""Many clients and many messages at once: nothing lost, doubled or out of order."""

import asyncio
import random

from expect import epoch, seq
from web import AsyncConnection, target

PUSHERS = 16


class Client:
    """A client that polls on until it has `count` messages. It abandons one poll in twenty: it closes the connection
    at once, as soon as the poll is likely parked, or as its answer is being written."""

    def __init__(self, port, user, name, with_cursor=True, leaves=0.05, limit=None):
        self.port = port
        self.user = user
        self.name = name
        self.with_cursor = with_cursor
        self.leaves = leaves
        self.limit = limit
        self.cursor = "0"
        self.ids = []
        self.data = []
        self.random = random.Random(f"{user} {name}")

    async def join(self):
        """Becomes one of the mailbox's clients, so that nothing is acknowledged without it."""
        connection = await AsyncConnection.open(self.port)
        answer = await connection.exchange("GET", target("/poll", user=self.user, client=self.name, timeout=0))
        assert answer.status == 200 and answer.json["count"] == 0, answer
        connection.close()

    async def run(self, count):
        connection = await AsyncConnection.open(self.port)
        while len(self.ids) < count:
            where = target("/poll", user=self.user, client=self.name, limit=self.limit, timeout=30,
                           after=self.cursor if self.with_cursor else None)
            if self.random.random() < self.leaves:
                await self.abandon(connection, where)
                connection = await AsyncConnection.open(self.port)
                continue
            answer = await connection.exchange("GET", where)
            assert answer.status == 200, answer
            self.take(answer.json)
        connection.close()

    async def abandon(self, connection, where):
        connection.send("GET", where)
        await connection.writer.drain()
        if self.random.random() < 0.5:
            try:
                await asyncio.wait_for(connection.reader.read(1), self.random.random() / 10)
            except asyncio.TimeoutError:
                pass
        connection.close()

    def take(self, answer):
        assert answer["missed"] == 0 and answer["reset"] is False, answer
        assert answer["count"] == len(answer["messages"])
        for message in answer["messages"]:
            self.ids.append(message["id"])
            self.data.append(message["data"])
        self.cursor = answer["cursor"]


async def push_all(port, number, messages):
    """Pushes (user, text) pairs one after the other, each in a request of its own."""
    connection = await AsyncConnection.open(port)
    for user, text in messages:
        answer = await connection.exchange("POST", target("/push", to=user), body=text.encode())
        assert answer.status in (201, 202), answer
    connection.close()


def check(client, count):
    """The client has messages 1 to count, each once and in order, and those of each pusher in the order it sent them."""
    who = f"{client.user} {client.name}"
    assert [seq(one) for one in client.ids] == list(range(1, count + 1)), who
    assert len({epoch(one) for one in client.ids}) == 1, who
    assert len(set(client.data)) == count, who
    last = {}
    for text in client.data:
        pusher, number = map(int, text.split())
        assert number > last.get(pusher, -1), who
        last[pusher] = number


def rush(stack, names, count):
    """Two clients of each user, who keep disconnecting, and `count` messages to each user, pushed concurrently."""
    async def run():
        clients = [Client(stack.port, name, client) for name in names for client in ("laptop", "phone")]
        # Pusher p sends to all users, beginning at one of its own, so that all of them push to each mailbox at once.
        share = [[] for _ in range(PUSHERS)]
        for number in range(len(names) * count):
            pusher = number % PUSHERS
            at = number // PUSHERS + pusher * len(names) // PUSHERS
            share[pusher].append((names[at % len(names)], f"{pusher} {number}"))
        expected = {name: sum(user == name for messages in share for user, _ in messages) for name in names}
        await asyncio.gather(*[client.join() for client in clients])
        readers = [client.run(expected[client.user]) for client in clients]
        pushers = [push_all(stack.port, pusher, messages) for pusher, messages in enumerate(share)]
        await asyncio.wait_for(asyncio.gather(*readers, *pushers), 180)
        return clients, expected

    clients, expected = asyncio.run(run())
    assert sum(expected.values()) == len(names) * count
    for client in clients:
        check(client, expected[client.user])


def test_two_hundred_clients(new_stack, users):
    """200 clients and 20,000 messages pushed concurrently: nothing lost, doubled or out of order, though clients keep disconnecting"""
    rush(new_stack(workers=3), users(100), 200)


def test_one_busy_mailbox(stack, user):
    """sixteen pushers to one mailbox: every client gets all messages in order, with and without a cursor, whatever its limit"""
    count = 800

    async def run():
        clients = [Client(stack.port, user, "cursor", leaves=0.2), Client(stack.port, user, "few", leaves=0, limit=3),
                   Client(stack.port, user, "script", with_cursor=False, leaves=0)]
        await asyncio.gather(*[client.join() for client in clients])
        pushers = [push_all(stack.port, pusher, [(user, f"{pusher} {number}") for number in range(count // PUSHERS)]) for pusher in range(PUSHERS)]
        await asyncio.wait_for(asyncio.gather(*[client.run(count) for client in clients], *pushers), 60)
        return clients

    for client in asyncio.run(run()):
        check(client, count)
