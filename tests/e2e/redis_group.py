# SPDX-License-Identifier: MIT
"""Redis as it is kept available: a master, its replicas, and three sentinels that watch over them, all on loopback.

(A cluster is in redis_cluster.py.)
"""

import atexit
import shutil
import subprocess
import threading
import time

import redis

from ports import spare_ports
from stack import new_directory
from waits import eventually
from web import DEADLINE

NAME = "letters"  # by which the sentinels know the master


class Server:
    """A redis-server, or a sentinel, on a port and in a directory of its own."""

    def __init__(self, directory, port, *arguments):
        self.port = port
        self.directory = directory / str(port)
        self.directory.mkdir()
        self.command = ["redis-server", *map(str, arguments), "--port", str(port), "--bind", "127.0.0.1",
                        "--dir", str(self.directory), "--logfile", "log"]
        self.client = redis.Redis(port=port, socket_timeout=DEADLINE, decode_responses=True)
        self.process = None

    def start(self):
        self.launch()
        return self.wait()

    def launch(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self):
        eventually(self.answers, f"the Redis on port {self.port} answers")
        return self

    def answers(self):
        assert self.process.poll() is None, (self.directory / "log").read_text()
        try:
            return self.client.ping()
        except redis.RedisError:
            return False

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        """As a crash does it."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def end(self):
        """As its administrator does it."""
        self.process.terminate()
        self.process.wait()
        self.process = None

    def lose_replicas(self):
        """Cuts its replicas off; the caller must see to it that they do not come back."""
        self.client.client_kill_filter(_type="slave")
        eventually(lambda: self.client.info("replication")["connected_slaves"] == 0, "no replica is connected")

    def names_of_clients(self):
        return [client["name"] for client in self.client.client_list()]

    def replicates(self, master):
        """True if this is a replica of that one, and has all its data."""
        try:
            info = self.client.info("replication")
        except redis.ConnectionError:  # a Redis that is made a replica closes its connections
            return False
        return info["role"] == "slave" and info["master_port"] == master.port and info["master_link_status"] == "up"


class Servers:
    """What a group and a cluster have in common: servers in a directory, which end with the test run, however it comes."""

    started = []

    def __init__(self, settings):
        """settings: of every redis-server, as {"min_replicas_to_write": 1}."""
        Servers.started.append(self)
        self.directory = new_directory()
        self.options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]

    def said(self):
        """What they have logged, for the report of a failed test."""
        logs = [(server.port, server.directory / "log") for server in self.reporters()]
        ends = {port: "\n".join(log.read_text().splitlines()[-30:]) for port, log in logs if log.exists()}
        return "\n".join(f"--- {type(self).__name__}, port {port}\n{end}" for port, end in ends.items())

    def stop(self):
        if self not in Servers.started:
            return
        Servers.started.remove(self)
        for server in self.everyone():
            server.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Group(Servers):
    """One master, some replicas, three sentinels. The first of the servers is the master to begin with."""

    def __init__(self, replicas=1, quick=True, **settings):
        """quick: the sentinels make replicas of old masters in a second or two instead of ten."""
        super().__init__(settings)
        self.quick = quick
        ports = spare_ports(4 + replicas)
        self.servers = [Server(self.directory, port, "--save", "", "--appendonly", "yes", "--repl-diskless-sync-delay", 0, *self.options)
                        for port in ports[3:]]
        self.sentinels = [self.sentinel(port, ports[3]) for port in ports[:3]]

    def sentinel(self, port, master):
        config = self.directory / f"sentinel-{port}.conf"
        config.write_text(f"sentinel monitor {NAME} 127.0.0.1 {master} 2\n"
                          # Longer than a busy machine may stand still: else a master in good health is replaced.
                          f"sentinel down-after-milliseconds {NAME} 3000\n"
                          f"sentinel failover-timeout {NAME} 3000\n")
        return Server(self.directory, port, config, "--sentinel")

    @property
    def address(self):
        """As --redis takes it."""
        return f"sentinel:{NAME}@" + ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    def start(self):
        first, *others = self.servers
        first.start()
        for server in others:
            server.command += ["--replicaof", f"127.0.0.1 {first.port}"]
            server.start()
        for server in others:
            eventually(lambda: server.replicates(first), "the replica has what the master has")
        for sentinel in self.sentinels:
            sentinel.start()
            if self.quick:
                sentinel.client.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 300)
                sentinel.client.execute_command("SENTINEL", "DEBUG", "PUBLISH-PERIOD", 300)
        eventually(self.watched, "the sentinels know the servers and one another")
        return self

    def watched(self):
        def knows(sentinel):
            master = sentinel.client.sentinel_master(NAME)
            return (master["num-slaves"], master["num-other-sentinels"]) == (len(self.servers) - 1, len(self.sentinels) - 1)
        return all(knows(sentinel) for sentinel in self.sentinels)

    def master(self, sentinel=None):
        """The server that a sentinel names as the master."""
        _, port = (sentinel or self.sentinels[0]).client.sentinel_get_master_addr_by_name(NAME)
        return next(server for server in self.servers if server.port == port)

    def fail_over(self):
        """Has the master replaced, as its administrator does."""
        self.sentinels[0].client.execute_command("SENTINEL", "FAILOVER", NAME)

    def reporters(self):
        return self.sentinels

    def everyone(self):
        return self.sentinels + self.servers


class Announcement(threading.Thread):
    """Watches the sentinels for the moment in which the first of them names another master."""

    def __init__(self, group):
        super().__init__(daemon=True)
        self.group = group
        self.old = group.master()
        self.new = None
        self.at = None

    def run(self):
        def another():
            named = [self.group.master(sentinel) for sentinel in self.group.sentinels]
            return next((server for server in named if server is not self.old), None)

        self.new = eventually(another, "a sentinel names another master", deadline=60)
        self.at = time.monotonic()


@atexit.register
def stop_all():
    for servers in list(Servers.started):
        servers.stop()
