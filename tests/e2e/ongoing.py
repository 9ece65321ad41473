# SPDX-License-Identifier: MIT
"""Threads that push and poll while a test breaks Redis, and what must be true of them at the end."""

import itertools
import threading
import time
from collections import defaultdict

from expect import data
from waits import eventually
from web import DEADLINE


class Pusher(threading.Thread):
    """Pushes numbers to users in turn until it is told to end, and keeps the outcomes.

    It pushes each number once; if it repeats, until that is accepted, with an Idempotency-Key."""

    def __init__(self, stack, users, repeats=False):
        super().__init__(daemon=True)
        self.stack, self.users, self.repeats = stack, users, repeats
        self.answers = []  # (when, status)
        self.refusals = []  # the answers that were no success
        self.replays = 0
        self.accepted = defaultdict(list)
        self.ended = threading.Event()
        self.pushing = threading.Lock()  # holding it stops the pushes
        self.start()

    def run(self):
        for number in itertools.count(1):
            if self.ended.is_set():
                return
            user = self.users[number % len(self.users)]
            if self.push(user, str(number)):
                self.accepted[user].append(str(number))

    def push(self, user, text):
        headers = [("Idempotency-Key", f"{user}-{text}")] if self.repeats else []
        while True:
            with self.pushing:
                answer = self.stack.push(user, text, headers)
            self.answers.append((time.monotonic(), answer.status))
            self.replays += answer.header("Idempotency-Replayed") is not None
            if answer.status in (201, 202):
                return True
            self.refusals.append(answer)
            if not self.repeats:
                return False
            self.ended.wait(0.02)

    def accepted_after(self, moment):
        """The time of the first push that was accepted after that moment, if there is one."""
        return next((when for when, status in self.answers if when > moment and status in (201, 202)), None)

    def refused_last(self):
        """The time of the last push that was refused, when many were accepted since, by any worker."""
        latest = self.answers[-50:]
        assert all(status != 503 for _, status in latest)
        return next((when for when, status in reversed(self.answers) if status == 503), latest[0][0])

    def end(self):
        self.ended.set()
        self.join(DEADLINE)
        assert not self.is_alive()
        assert {status for _, status in self.answers} <= {201, 202, 503}


class Reader(threading.Thread):
    """A client that polls by its cursor until it is told to end, and keeps what it gets."""

    def __init__(self, stack, user):
        super().__init__(daemon=True)
        self.stack, self.user = stack, user
        self.got = []
        self.when = []
        self.statuses = set()
        self.refusals = []  # the answers that were no success
        self.ended = threading.Event()
        self.start()

    def run(self):
        cursor = "0"
        while not self.ended.is_set():
            answer = self.stack.get("/poll", user=self.user, after=cursor, timeout=1)
            self.statuses.add(answer.status)
            if answer.status != 200:
                self.refusals.append(answer)
                self.ended.wait(0.05)
                continue
            cursor = answer.json["cursor"]
            # After a reset all kept messages come, also those it has.
            known = self.got if answer.json["reset"] else []
            new = [text for text in data(answer.json) if text not in known]
            self.got += new
            self.when += [time.monotonic()] * len(new)

    def end(self):
        self.ended.set()
        self.join(DEADLINE)
        assert not self.is_alive()
        assert self.statuses <= {200, 503}


def agree(pusher, readers):
    """Every accepted push arrived once and in order. (One that was refused may have arrived too: its outcome was unknown.)"""
    for reader in readers:
        accepted = pusher.accepted[reader.user]
        eventually(lambda: set(accepted) <= set(reader.got), f"{reader.user} has got what was accepted")
        reader.end()
        numbers = [int(text) for text in reader.got]
        assert numbers == sorted(set(numbers)), reader.user
    assert any(pusher.accepted.values())
