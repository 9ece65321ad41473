# SPDX-License-Identifier: MIT
"""Redis as a cluster: masters and their replicas on loopback, which a test may kill, fail over, reshard, add and remove."""

import binascii
import itertools
import os
import signal
import subprocess
import time

import redis

from keys import part
from ports import spare_node_ports
from redis_group import Server, Servers
from stack import alive
from waits import eventually
from web import DEADLINE

SLOTS = 16384
# Milliseconds. Longer than a busy machine may stand still: else a master in good health is replaced.
NODE_TIMEOUT = 3000
# Seconds until a killed master is replaced: it must be found dead by most masters, and then its replica elected.
FAILOVER = 30


def slot(user):
    """Of all keys of a user: of those with its part as hash tag."""
    return binascii.crc_hqx(str(part(user)).encode(), 0) % SLOTS


class Cluster:
    """Nodes of which some are masters, with a part of the slots each, and the others their replicas.

    A node is a Server: its `client` speaks to that node alone, and it may be killed and started again."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.numbers = itertools.count()

    @property
    def client(self):
        """A client of the whole cluster, for a test that looks at keys: it asks the master of each key's slot."""
        return redis.RedisCluster("127.0.0.1", self.living()[0].port, decode_responses=True)

    def living(self):
        return [node for node in self.nodes if node.process]

    @staticmethod
    def id(node):
        return node.client.execute_command("CLUSTER MYID")

    @staticmethod
    def known_to(node):
        """What a node knows of itself and the others: {port: flags, master, slots…}, without those that it is still making contact with."""
        known = node.client.execute_command("CLUSTER NODES")
        return {int(address.rpartition(":")[2]): entry for address, entry in known.items() if "handshake" not in entry["flags"]}

    @staticmethod
    def role(node):
        return "master" if node.client.info("replication")["role"] == "master" else "replica"

    def masters(self):
        """The living nodes that have slots, as they see themselves."""
        return [node for node in self.living() if self.slots(node)]

    def replicas(self, master=None):
        """The living replicas, or those of one master alone, as they see themselves."""
        ports = {node: node.client.info("replication").get("master_port") for node in self.living()}
        return [node for node, port in ports.items() if port and (not master or port == master.port)]

    def slots(self, node):
        """The slots that a node has, as it sees it."""
        entry = self.known_to(node)[node.port]
        if "master" not in entry["flags"]:
            return set()
        return {slot for part in entry["slots"] for slot in range(int(part[0]), int(part[-1]) + 1)}

    def master_of(self, user):
        """The node that has all keys of a user."""
        return eventually(lambda: next((node for node in self.masters() if slot(user) in self.slots(node)), None),
                          f"there is a master of {user}", deadline=FAILOVER)

    def users_of(self, node, count):
        """New names of users whose keys a node has."""
        return self.users_in(self.slots(node), count)

    def users_in(self, slots, count):
        names = (f"user.{number}" for number in self.numbers)
        return list(itertools.islice((name for name in names if slot(name) in slots), count))

    def is_ok(self):
        """Whether every living node says that the cluster is, knows a master of each slot, and has what its master has."""
        for node in self.living():
            info = node.client.execute_command("CLUSTER INFO")
            assert (info["cluster_state"], info["cluster_slots_ok"]) == ("ok", str(SLOTS)), (node.port, info)
            replication = node.client.info("replication")
            assert replication.get("master_link_status") != "down", (node.port, replication)
        return True

    def agrees(self):
        """Whether all living nodes say the same of which node has which slots, and no slot is on its way."""
        def seen(node):
            known = self.known_to(node)
            assert not known[node.port]["migrations"], (node.port, known)
            return {port: entry["slots"] for port, entry in known.items() if entry["slots"]}

        views = [seen(node) for node in self.living()]
        assert all(view == views[0] for view in views), views
        return True

    def wait_ok(self, deadline=FAILOVER):
        eventually(lambda: self.is_ok() and self.agrees(), "the cluster is whole", deadline)
        return self

    def kill(self, node):
        """As a crash does it. Returns the slots that it had, for `heir`."""
        slots = self.slots(node)
        node.kill()
        return slots

    def heir(self, slots):
        """The master that has taken the place of one that had these slots, as soon as there is one."""
        return eventually(lambda: next((node for node in self.masters() if slots & self.slots(node)), None), "a replica has taken over", FAILOVER)

    def failover(self, replica, how=()):
        """Has a replica take its master's place, as an administrator does; how: FORCE, or TAKEOVER. Returns when all nodes know."""
        asked = 0

        def is_master():
            # Redis gives up after 5 s; and for twice NODE_TIMEOUT masters elect no other replica of a master that was just replaced.
            nonlocal asked
            if time.monotonic() - asked > 5:
                asked = time.monotonic()
                replica.client.execute_command("CLUSTER FAILOVER", *how)
            return self.slots(replica)

        eventually(is_master, "the replica is a master", FAILOVER)
        return self.wait_ok()

    def admin(self, verb, *arguments):
        """One of redis-cli's commands for clusters."""
        ended = subprocess.run(["redis-cli", "--cluster", verb, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=120)
        assert ended.returncode == 0, ended.stdout[-3000:]
        return ended.stdout

    def reshard(self, count, source, target):
        """Moves that number of slots with their keys from one master to another, while clients go on."""
        self.wait_ok()
        self.admin("reshard", f"127.0.0.1:{source.port}", "--cluster-from", self.id(source), "--cluster-to", self.id(target),
                   "--cluster-slots", count, "--cluster-yes")
        return self.wait_ok()

    def begin_move(self, number, source, target):
        """A slot is on its way from one master to another, until end_move: keys that are not there are asked for at the new one."""
        target.client.execute_command("CLUSTER SETSLOT", number, "IMPORTING", self.id(source))
        source.client.execute_command("CLUSTER SETSLOT", number, "MIGRATING", self.id(target))

    def end_move(self, number, source, target):
        """Moves the slot's keys, and the slot; all masters know at once."""
        while keys := source.client.execute_command("CLUSTER GETKEYSINSLOT", number, 100):
            source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 10_000, "KEYS", *keys)
        for node in (target, source, *(other for other in self.masters() if other not in (source, target))):
            node.client.execute_command("CLUSTER SETSLOT", number, "NODE", self.id(target))


class ServedNode(Server):
    """A node of a stack's own cluster, which scripts/service has started and starts again."""

    def __init__(self, stack, name):
        self.stack, self.name = stack, name
        self.port = stack.redis_port(name)
        self.client = redis.Redis(port=self.port, socket_timeout=DEADLINE, decode_responses=True)

    @property
    def process(self):
        """Its pid, while it runs."""
        pid = self.stack.pid(self.name)
        return pid if pid and alive(pid) else None

    def start(self):
        """And every other part that does not run."""
        assert self.stack.service("start").returncode == 0
        return self

    def send(self, number):
        os.kill(self.process, number)

    def kill(self):
        if pid := self.process:
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: not alive(pid), f"{self.name} has ended")


class ServedCluster(Cluster):
    """That of a stack which scripts/service has started with --cluster."""

    def __init__(self, stack):
        super().__init__([ServedNode(stack, name) for name in stack.nodes])


class RedisCluster(Cluster, Servers):
    """Its first nodes are masters to begin with, with an equal part of the slots each; node N of the others is a replica of master N."""

    def __init__(self, masters=3, replicas=1, **settings):
        """replicas: of each master. settings: of every redis-server, as {"min_replicas_to_write": 1}."""
        Servers.__init__(self, settings)
        self.first_masters = masters
        super().__init__([self.node(port) for port in spare_node_ports(masters * (1 + replicas))])

    def node(self, port):
        # Slots whose master is away are refused alone, and not all that the others have.
        return Server(self.directory, port, "--save", "", "--appendonly", "yes", "--repl-diskless-sync-delay", 0, "--cluster-enabled", "yes",
                      "--cluster-node-timeout", NODE_TIMEOUT, "--cluster-require-full-coverage", "no", *self.options)

    def reporters(self):
        return self.nodes

    def everyone(self):
        return self.nodes

    @property
    def address(self):
        """As --redis takes it."""
        return "cluster:" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self):
        """Quicker than redis-cli --cluster create, which waits for seconds."""
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait()
        masters = self.nodes[:self.first_masters]
        for number, node in enumerate(masters):
            first, end = (SLOTS * part // len(masters) for part in (number, number + 1))
            node.client.execute_command("CLUSTER ADDSLOTS", *range(first, end))
            node.client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        # Each introduces itself to all others, since rumours take seconds.
        for number, node in enumerate(self.nodes):
            for other in self.nodes[:number]:
                node.client.execute_command("CLUSTER MEET", "127.0.0.1", other.port)
        eventually(lambda: all(len(self.known_to(node)) == len(self.nodes) for node in self.nodes), "the nodes know one another")
        for number, node in enumerate(self.nodes[self.first_masters:]):
            node.client.execute_command("CLUSTER REPLICATE", self.id(masters[number % len(masters)]))
        return self.wait_ok()

    def add_node(self, master=None):
        """Starts another node, without slots; a replica if a master is given. Returns it when all nodes know it."""
        self.nodes.append(self.node(spare_node_ports(1)[0]))
        added = self.nodes[-1].start()
        as_replica = ["--cluster-slave", "--cluster-master-id", self.id(master)] if master else []
        self.admin("add-node", f"127.0.0.1:{added.port}", f"127.0.0.1:{self.nodes[0].port}", *as_replica)
        eventually(lambda: all(added.port in self.known_to(node) for node in self.living()), "all nodes know the new one")
        eventually(lambda: self.role(added) == ("replica" if master else "master"), "it has its role")
        self.wait_ok()
        return added

    def remove_node(self, node):
        """Takes a node out of the cluster, its slots first, which go to another master."""
        if slots := self.slots(node):
            self.reshard(len(slots), node, next(other for other in self.masters() if other is not node))
        other = next(other for other in self.living() if other is not node)
        self.admin("del-node", f"127.0.0.1:{other.port}", self.id(node))
        node.kill()
        self.nodes.remove(node)
        eventually(lambda: not any(node.port in self.known_to(other) for other in self.living()), "no node knows it any more")
        return self.wait_ok()
