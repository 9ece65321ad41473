# SPDX-License-Identifier: MIT
"""190 clients that poll, and pushers that push, while faults strike: whatever happens they wait as long as they are told
to and come back. A `Ledger` keeps what they were promised and given.

The load runs in a thread of its own, on asyncio; the test's thread turns faults on and off.
"""

import asyncio
import json
import random
import threading
import time

from ledger import Ledger
from web import AsyncConnection, target

BACK_ENDS = 64  # pushers; while some are told to wait, others go on
PUSHES_A_SECOND = 150
RETRACTED = 0.05  # the share of messages that their back end takes back at once
REPLACED = 0.05  # the share of messages that replace one another
PATIENCE = 15  # seconds that an answer may come after a poll's own time is up
AGAIN = 1  # seconds after which a client without cursor may be told the last word once more
HEARD = 40  # seconds for every client to hear the last word
NO_ANSWER = (OSError, EOFError, asyncio.IncompleteReadError)  # a timeout is an OSError, too


def clients_of(users):
    """(user, client, by_cursor): most users have one client, some two, some also a script without a cursor."""
    for number, user in enumerate(users):
        yield user, "laptop", True
        if number % 5 == 3:
            yield user, "phone", True
        if number % 15 == 4:
            yield user, "script", False


def told_to_wait(answer):
    """Seconds. An error says it in its body and, rounded, in a header."""
    return answer.json["error"]["retry_after_ms"] / 1000 or float(answer.header("Retry-After") or 0)


class Client:
    def __init__(self, load, user, name, by_cursor):
        self.load = load
        self.user = user
        self.name = name
        self.account = load.ledger.account(user, name, by_cursor)
        self.random = random.Random(f"{load.seed} {user} {name}")
        self.connection = None
        self.heard_at = None  # the last word

    async def join(self):
        """Becomes a client of its mailbox, and acknowledges nothing."""
        connection = await AsyncConnection.open(self.load.port)
        answer = await connection.exchange("GET", target("/poll", user=self.user, client=self.name, timeout=0, after=0))
        assert answer.status == 200 and answer.json["count"] == 1, answer
        connection.close()

    async def run(self):
        while True:
            await self.poll(self.random.choice(self.load.waits), self.vanishes())

    async def until_nothing_is_left(self):
        while await self.poll(0) != 0:
            pass

    def vanishes(self):
        """How it will leave in the midst of its next poll, if it does."""
        chance = self.random.random()
        for how, share in self.load.vanishing.items():
            chance -= share
            if chance < 0:
                return how
        return None

    async def poll(self, timeout, vanishes=None):
        """One poll, and the pause after it. The number of messages that it brought; None without an answer."""
        where = target("/poll", user=self.user, client=self.name, timeout=timeout, limit=self.random.choice([None, None, 3]),
                       after=self.account.cursor if self.account.by_cursor else None)
        try:
            self.connection = self.connection or await AsyncConnection.open(self.load.port)
            self.connection.send("GET", where)
            if vanishes in ("parked", "midway"):
                await getattr(self, f"until_{vanishes}")()
                return self.loses_it()
            answer = await asyncio.wait_for(self.connection.receive(), timeout + PATIENCE)
        except asyncio.TimeoutError:
            self.account.breaks(f"a poll of {timeout} s was not answered within {timeout + PATIENCE} s")
            return self.loses_it()
        except NO_ANSWER:
            self.loses_it()
            await asyncio.sleep(self.random.uniform(0.05, 0.5))
            return None
        return await self.takes(answer, keeps=vanishes != "answered")

    async def takes(self, answer, keeps):
        self.load.answers += 1
        if answer.status != 200:
            self.account.lost_answers += 1
            await asyncio.sleep(self.load.error(answer))
            return None
        document = answer.json
        self.account.given(document, keeps)
        if any(message["type"] == "last" for message in document["messages"]) and keeps:
            self.heard_at = self.heard_at or time.monotonic()
        if not keeps:
            self.leave()
        await asyncio.sleep(document["retry_after_ms"] / 1000)
        return document["count"]

    async def until_parked(self):
        """Returns when the poll is likely parked, unless an answer comes first."""
        try:
            await asyncio.wait_for(self.connection.reader.read(1), self.random.uniform(0, 0.1))
        except asyncio.TimeoutError:
            pass

    async def until_midway(self):
        """Returns when the header is read, and the body is not, unless that takes too long."""
        try:
            await asyncio.wait_for(self.connection.reader.readuntil(b"\r\n\r\n"), self.random.uniform(0.1, 2))
        except asyncio.TimeoutError:
            pass

    def loses_it(self):
        self.account.lost_answers += 1
        self.leave()

    def leave(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Load:
    """Begins with `with`; settle() ends it and closes its ledger."""

    def __init__(self, port, seed, users=150, waits=(2, 10, 40, 40)):
        self.port = port
        self.waits = waits  # seconds that a client asks for, one of these
        self.seed = seed
        self.random = random.Random(f"{seed} load")
        self.ledger = Ledger()
        self.users = [f"user{number}" for number in range(users)]
        self.clients = [Client(self, *one) for one in clients_of(self.users)]
        self.vanishing = {}  # parked, midway, answered: the share of polls that are left so
        self.answers = 0
        self.recovered = None  # seconds from settle() until every client had heard the last word
        self.numbers = iter(range(10**9))
        self.tasks = []
        self.settling = None

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        try:
            self.call(self.begin(), 60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.call(self.end(), 30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def call(self, work, deadline):
        """Runs a coroutine in the load's thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(deadline)

    async def begin(self):
        """Each mailbox gets a first message, and all its clients are known before one of them acknowledges it."""
        self.settling = asyncio.Event()
        for user in self.users:
            await self.push(user, "first")
        for client in sorted(self.clients, key=lambda client: not client.account.by_cursor):
            await (client.join() if client.account.by_cursor else client.poll(0))
        assert not self.ledger.errors, self.ledger.errors
        self.tasks = [asyncio.create_task(client.run()) for client in self.clients]
        self.pushers = [asyncio.create_task(self.back_end(name)) for name in range(BACK_ENDS)]
        self.tasks += self.pushers

    async def end(self):
        going = set(self.tasks)
        while going:  # a task that is cancelled as its wait ends goes on (Python before 3.12)
            for task in going:
                task.cancel()
            _, going = await asyncio.wait(going, timeout=1)
        for client in self.clients:
            client.leave()
        failed = [task.exception() for task in self.tasks if not task.cancelled() and task.exception()]
        self.ledger.broken += [f"the load itself failed: {failure!r}" for failure in failed]
        self.tasks = []

    # --- pushing

    async def back_end(self, name):
        """Pushes to one user after the other, now and then a message that is too long for a ring."""
        connection = None
        while not self.settling.is_set():
            await self.pause(self.random.expovariate(PUSHES_A_SECOND / BACK_ENDS))
            filling = "x" * 20_000 if self.random.random() < 0.03 else ""
            user = self.random.choice(self.users)
            try:
                connection = connection or await AsyncConnection.open(self.port)
                wait, id = await self.push_by(connection, user, "message", name, filling)
                if id and self.random.random() < RETRACTED:
                    wait = await self.retract_by(connection, user, id)
                await self.pause(wait)
            except NO_ANSWER:
                if connection:
                    connection.close()
                connection = None
                await self.pause(self.random.uniform(0.05, 0.5))
        if connection:
            connection.close()

    async def pause(self, seconds):
        """Lets time pass, until the load settles at most."""
        try:
            await asyncio.wait_for(self.settling.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    async def push_by(self, connection, user, type, name, filling=""):
        """One push. The seconds to wait before the next, and the message's id; raises one of NO_ANSWER if no answer came."""
        replaced = type == "message" and self.random.random() < REPLACED
        text = f"{type} {next(self.numbers)} {filling}"
        where = target("/push", to=user, type=type, collapse="newest" if replaced else None)
        self.ledger.sends(user, text)
        try:
            answer = await asyncio.wait_for(connection.exchange("POST", where, body=text.encode()), 2 * PATIENCE)
        except NO_ANSWER:
            self.ledger.sent["unknown"] += 1
            raise
        if answer.status in (201, 202):
            self.ledger.accepted(user, text, answer.json["id"], name)
            if replaced:
                self.ledger.withdraws(user, answer.json["id"])
            return 0, answer.json["id"]
        self.ledger.sent["refused"] += 1
        return self.error(answer), None

    async def retract_by(self, connection, user, id):
        """Takes a message back; some of its clients may have it already. The seconds to wait before the next push."""
        self.ledger.withdraws(user, id)
        answer = await asyncio.wait_for(connection.exchange("DELETE", target("/mailbox", user=user, id=id)), 2 * PATIENCE)
        return 0 if answer.status == 200 else self.error(answer)

    async def push(self, user, type):
        """Pushes until it is accepted."""
        while True:
            try:
                connection = await AsyncConnection.open(self.port)
                wait, _ = await self.push_by(connection, user, type, type)
                connection.close()
                if not wait:
                    return
            except NO_ANSWER:
                wait = self.random.uniform(0.05, 0.5)
            await asyncio.sleep(wait)

    def error(self, answer):
        """Notes an error answer; the seconds to wait. No error of Letterbox's may be the load's own fault."""
        try:
            error = answer.json["error"]
            self.ledger.errors[f"{answer.status} {error['code']}"] += 1
            if answer.status < 500 or error["terminal"]:
                self.ledger.broken.append(f"refused for good: {answer}")
            return max(told_to_wait(answer), 0.01)
        except (json.JSONDecodeError, KeyError):
            self.ledger.broken.append(f"not the documented error: {answer}")
            return 1

    # --- faults from the clients' side

    def crowd_leaves(self):
        """Every client closes its connection at once, and comes back."""
        self.loop.call_soon_threadsafe(lambda: [client.leave() for client in self.clients])

    # --- the end

    def settle(self, blows):
        """No fault strikes any more. Every client must hear a last word, and all that is left; then the books are closed."""
        self.vanishing = {}
        self.call(self.last_word(), 2 * HEARD)
        self.call(self.end(), 30)
        self.call(self.look_for_the_rest(), 2 * HEARD)
        self.ledger.close(blows)

    async def last_word(self):
        began = time.monotonic()
        self.settling.set()
        words = [*self.pushers, *[asyncio.create_task(self.push(user, "last")) for user in self.users]]
        self.tasks += words
        deaf, end = self.clients, began + HEARD
        while deaf and time.monotonic() < end:
            if words:
                await asyncio.wait(words, timeout=end - time.monotonic())
            deaf = await self.still_deaf(AGAIN)
            # A client without cursor may have lost its answer to a poll that it has left.
            words = [asyncio.create_task(self.push(client.user, "last")) for client in deaf if not client.account.by_cursor]
            self.tasks += words
        for client in deaf:
            client.account.breaks(f"did not hear the last word within {HEARD} s")
        self.recovered = max([client.heard_at or end for client in self.clients]) - began

    async def still_deaf(self, seconds):
        end = time.monotonic() + seconds
        while True:
            deaf = [client for client in self.clients if not client.heard_at]
            if not deaf or time.monotonic() >= end:
                return deaf
            await asyncio.sleep(0.01)

    async def look_for_the_rest(self):
        """Messages that no client waited for are there for a poll, and then nothing is left to acknowledge."""
        await asyncio.gather(*[client.until_nothing_is_left() for client in self.clients])
        connection = await AsyncConnection.open(self.port)
        for user in self.users:
            box = (await connection.exchange("GET", target("/mailbox", user=user))).json
            if box["queued"] != 0:
                self.ledger.broken.append(f"{user}: all is acknowledged, and {box['queued']} are queued: {box}")
        connection.close()
        for client in self.clients:
            client.leave()
