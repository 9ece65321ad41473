# SPDX-License-Identifier: MIT
"""A small client of Redis for scripts/move-mailboxes: one connection, and the masters of a cluster. Commands go in batches.

Errors that Redis answers with are values of the type Error, so that one of a batch does not hide the others; `call` raises them.
"""

import binascii
import re
import socket
import time

TIMEOUT = 60  # seconds without an answer after which Redis counts as gone
PATIENCE = 30  # seconds for a cluster to have a master for each slot again
SLOTS = 16384


class Error(Exception):
    """What Redis has refused, in its words."""


class Failed(Exception):
    """What was meant to be done can't be; why."""


def command(args):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in args]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def split_address(address):
    """HOST:PORT, or [ADDRESS]:PORT of IPv6; ValueError for anything else."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})", address)
    if not match or not 0 < int(match[3]) < 65536:
        raise ValueError(address)
    return match[1] or match[2], int(match[3])


class Connection:
    """To one Redis, at HOST:PORT or unix:PATH."""

    def __init__(self, address, user=None, password=None):
        self.address = address
        try:
            self.socket = self.connected()
        except OSError as error:
            raise ConnectionError(f"{address}: {error.strerror or error}") from error
        self.file = self.socket.makefile("rb", 1 << 20)
        if password is not None:
            self.call("AUTH", *([user] if user else []), password)

    def connected(self):
        if self.address.startswith("unix:"):
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(TIMEOUT)
            made.connect(self.address[len("unix:"):])
        else:
            made = socket.create_connection(split_address(self.address), TIMEOUT)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def send(self, commands):
        """Writes a batch; as many replies must be read."""
        self.socket.sendall(b"".join(map(command, commands)))

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"{self.address} has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            data = self.file.read(size + 2)
            if len(data) < size + 2:
                raise ConnectionError(f"{self.address} has closed the connection")
            return data[:-2]
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self.read() for _ in range(int(rest))] if rest != b"-1" else None
        if kind == b"-":
            return Error(rest.decode(errors="replace"))
        return rest

    def batch(self, commands):
        """The replies to a number of commands, in their order."""
        self.send(commands)
        return [self.read() for _ in commands]

    def call(self, *args):
        reply, = self.batch([args])
        if isinstance(reply, Error):
            raise reply
        return reply

    def close(self):
        self.file.close()
        self.socket.close()


def names_in(connection):
    """All names of keys that one Redis has, in lots; one that comes or goes meanwhile may be among them or not."""
    at = b"0"
    while True:
        at, names = connection.call("SCAN", at, "COUNT", 1000)
        yield names
        if at == b"0":
            return


class Cluster:
    """The masters of a cluster. Commands are sent to the one that has their slot, and again if slots move or a master is replaced."""

    def __init__(self, addresses, user=None, password=None):
        self.addresses = addresses
        self.login = (user, password)
        self.connections = {}  # by address
        self.owners = {}  # slot → address
        self.learn()

    def learn(self):
        """Asks any node which master has which slots."""
        why = None
        for address in [*self.connections, *self.addresses]:
            try:
                ranges = self.connection(address).call("CLUSTER", "SLOTS")
            except (OSError, Error) as error:
                self.drop(address)
                why = why or str(error)
                continue
            self.owners = {slot: self.name_of(master, address) for first, last, master, *_ in ranges for slot in range(first, last + 1)}
            return
        raise ConnectionError(f"no node of the cluster answers: {why}")

    @staticmethod
    def name_of(master, asked):
        """A node that does not know its own host says nothing: it is where it was asked."""
        host = master[0].decode() if master[0] else split_address(asked)[0]
        return f"[{host}]:{master[1]}" if ":" in host else f"{host}:{master[1]}"

    def connection(self, address):
        if address not in self.connections:
            self.connections[address] = Connection(address, *self.login)
        return self.connections[address]

    def drop(self, address):
        if connection := self.connections.pop(address, None):
            connection.close()

    def masters(self):
        """A connection to each."""
        return [self.connection(address) for address in sorted(set(self.owners.values()))]

    def batch(self, commands):
        """The replies to pairs of a slot and a command. Each command may be carried out twice if a connection is lost."""
        replies = [None] * len(commands)
        left = range(len(commands))
        deadline = time.monotonic() + PATIENCE
        while True:
            left = self.attempt(commands, left, replies)
            if not left:
                return replies
            if time.monotonic() > deadline:
                raise ConnectionError(f"the cluster does not take a command: {replies[left[0]]}")
            time.sleep(0.1)
            try:
                self.learn()
            except ConnectionError as error:
                replies[left[0]] = error

    def attempt(self, commands, numbers, replies):
        """Sends these commands, and fills in the replies. The numbers of those that must be sent again."""
        by_node = {}
        for number in numbers:
            by_node.setdefault(self.owners.get(commands[number][0]), []).append(number)
        again = by_node.pop(None, [])  # a slot that nobody has
        for number in again:
            replies[number] = f"slot {commands[number][0]} has no master"
        sent = []
        for address, its in by_node.items():
            try:
                self.connection(address).send([commands[number][1] for number in its])
                sent.append((address, its))
            except (OSError, Error) as error:
                again += self.lost(address, its, error, replies)
        for address, its in sent:
            try:
                for number in its:
                    replies[number] = self.connections[address].read()
            except OSError as error:
                again += self.lost(address, its, error, replies)
        # (Not before all are read: what is asked for elsewhere uses the same connections.)
        return again + [number for number in numbers if self.elsewhere(commands[number], replies, number)]

    def lost(self, address, its, error, replies):
        self.drop(address)
        for number in its:
            replies[number] = error
        return its

    def elsewhere(self, one, replies, number):
        """Whether a command must be sent again, since its slot is with another master. If the slot is on its way, the new one is asked at once."""
        reply = replies[number]
        if not isinstance(reply, Error):
            return False
        word, *rest = str(reply).split(" ")
        if word == "ASK":
            try:
                _, replies[number] = self.connection(rest[1]).batch([("ASKING",), one[1]])
            except OSError as error:
                self.lost(rest[1], [number], error, replies)
                return True
            return self.elsewhere(one, replies, number)
        return word in ("MOVED", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY", "MASTERDOWN")


def crc16(name):
    """As Redis Cluster has it."""
    return binascii.crc_hqx(name, 0)
