# SPDX-License-Identifier: MIT
"""What a Redis does for its copy: it tells which keys change, and refuses writes at the end. For scripts/move-mailboxes."""

import time

from resp import Error, Failed


class Changes:
    """Which keys of one Redis have changed: it tells them to a connection as they do (CLIENT TRACKING, since Redis 6)."""

    def __init__(self, connect, prefixes):
        self.changed = set()
        self.listener, self.owner = connect(), connect()
        number = self.listener.call("CLIENT", "ID")
        self.listener.call("SUBSCRIBE", "__redis__:invalidate")
        reply, = self.owner.batch([("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", *(word for prefix in prefixes for word in ("PREFIX", prefix)))])
        if isinstance(reply, Error):
            raise Failed(f"Redis does not say which keys change, as it can from version 6 on: {reply}")

    def hear(self):
        """Notes all that had changed when this was called."""
        self.owner.call("PING")  # were it closed, nothing would be told any more
        self.listener.send([("PING",)])
        while True:
            reply = self.listener.read()
            if isinstance(reply, Error):
                raise reply
            if reply[0] == b"pong":
                return self.changed
            if reply[2] is None:
                raise Failed("the Redis that is copied has been emptied")
            self.changed.update(reply[2])

    def take(self):
        changed, self.changed = self.hear(), set()
        return changed


class Refusal:
    """Has a Redis refuse all writes, as one without enough replicas does: Letterbox answers pushes with 503, and serves what needs none."""

    SETTINGS = ("min-replicas-to-write", "min-replicas-max-lag")
    REPLICAS = 1_000_000  # more than any Redis has

    def __init__(self, connect, trial):
        self.connect = connect
        self.trial = trial  # a key that may be written
        connection = connect()
        replies = [connection.batch([("CONFIG", "GET", name)])[0] for name in self.SETTINGS]
        if any(isinstance(reply, Error) or not reply for reply in replies):
            raise Failed(f"writes can't be refused: CONFIG GET {self.SETTINGS[0]} is not allowed")
        self.before = [reply[1] for reply in replies]
        if self.before[0] == b"%d" % self.REPLICAS:  # of a move before this one
            self.before[0] = b"0"
        self.since = None

    def begin(self):
        self.since = time.monotonic()
        connection = self.connect()
        # (A lag of 0 would switch it off.)
        for name, value in zip(self.SETTINGS, (self.REPLICAS, 10)):
            connection.call("CONFIG", "SET", name, value)
        reply, = connection.batch([("SET", self.trial, 1, "PX", 1000)])
        if not (isinstance(reply, Error) and str(reply).startswith("NOREPLICAS")):
            raise Failed(f"Redis does not refuse writes: {reply}")

    def seconds(self):
        return time.monotonic() - self.since

    def end(self):
        if self.since is None:
            return
        try:
            connection = self.connect()
            for name, value in zip(self.SETTINGS, self.before):
                connection.call("CONFIG", "SET", name, value)
        except (OSError, Error) as error:
            raise Failed(f"FROM still refuses writes, and could not be told otherwise: {error}. {self.undo()}") from error
        self.since = None

    def undo(self):
        return f"To go back to FROM: redis-cli … CONFIG SET {self.SETTINGS[0]} {self.before[0].decode()}"
