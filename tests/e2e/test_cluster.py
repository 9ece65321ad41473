# SPDX-License-Identifier: MIT
"""Letterbox over a Redis Cluster: masters die, are replaced, lose and get slots; nodes come and go; a second Letterbox stands beside the first.

(What holds for one Redis and for a cluster is claimed in the other files: `scripts/test --cluster` runs them over a cluster.)
"""

import signal
import time

import pytest

from expect import data, is_accepted, is_error
from keys import key_in_cluster
from ongoing import Pusher, Reader, agree
from redis_cluster import RedisCluster, slot
from test_load import rush
from test_programs import run
from test_tokens import post
from waits import SOON, eventually
from web import DEADLINE

MOVED = 500  # slots, which are three or four of Letterbox' parts


@pytest.fixture(scope="module")
def shared_cluster():
    cluster = RedisCluster().start()
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(shared_cluster):
    """Three masters with a replica each. A test leaves it whole, though others may be the masters then."""
    yield shared_cluster
    for node in shared_cluster.nodes:
        if not node.process:  # a test has failed
            node.start()
    shared_cluster.wait_ok()


class Traffic:
    """Two clients that poll, a pusher to them, and two polls that are parked, for each of some sets of slots."""

    def __init__(self, clients, stack, cluster, sets):
        self.stack = stack
        self.readers, self.pushers, self.parked = [], [], {}
        for slots in sets:
            *polling, one, other = cluster.users_in(slots, 4)
            self.readers += [clients(Reader, stack, name) for name in polling]
            self.pushers.append(clients(Pusher, stack, polling))
            self.parked |= {name: stack.park(name, after=0, timeout=50) for name in (one, other)}
        self.goes_on()

    def goes_on(self):
        """Returns when all pushers and readers have had success since now."""
        now = time.monotonic()
        eventually(lambda: all(pusher.accepted_after(now) for pusher in self.pushers), "pushes are accepted", deadline=2 * DEADLINE)
        eventually(lambda: all(reader.when and reader.when[-1] > now for reader in self.readers), "messages arrive", deadline=2 * DEADLINE)

    def refused(self):
        """The answers to pushes and polls that were no success."""
        return [answer for client in self.pushers + self.readers for answer in client.refusals]

    def longest(self):
        """The longest time, in seconds, between two answers to a pusher: for so long a push has waited at most."""
        return max(later - earlier for pusher in self.pushers for (earlier, _), (later, _) in zip(pusher.answers, pusher.answers[1:]))

    def ends(self):
        """All that was accepted arrived once and in order, and the parked polls are parked still."""
        self.goes_on()
        for pusher in self.pushers:
            pusher.end()
            agree(pusher, [reader for reader in self.readers if reader.user in pusher.users])
        assert all(poll.waits() for poll in self.parked.values())
        for name in self.parked:
            self.stack.pushed(name, "hello")
        assert [data(poll.answer()) for poll in self.parked.values()] == [["hello"]] * len(self.parked)
        pushes = sum(map(len, (pusher.answers for pusher in self.pushers)))
        print(f"{pushes} pushes, {len(self.refused())} answers that were no success; a push waited for {self.longest():.2f} s at most")


def test_master_dies(stack_on, cluster, clients):
    """when a master dies the users of the others notice nothing, pushes to its own are refused at once, their polls stay, and its replica goes on"""
    stack = stack_on(cluster, redis_replicas=1)
    victim, *others = cluster.masters()
    [absent] = cluster.users_of(victim, 1)
    spared = Traffic(clients, stack, cluster, map(cluster.slots, others))
    struck = Traffic(clients, stack, cluster, [cluster.slots(victim)])
    assert stack.get("/readyz").status == 200

    slots = cluster.kill(victim)
    eventually(lambda: is_error(stack.push(absent, "in vain"), 503, "store_unavailable"), "it is refused")
    began = time.monotonic()
    assert is_error(stack.push(absent, "in vain"), 503, "store_unavailable")
    took = time.monotonic() - began
    ready = stack.get("/readyz")
    assert is_error(ready, 503, "not_ready") and f"127.0.0.1:{victim.port}" in ready.json["error"]["message"], ready
    spared.goes_on()
    heir = cluster.heir(slots)
    # Until it has a replica, too few have what is pushed.
    assert is_error(stack.push(absent, "in vain"), 503, "store_unavailable")
    victim.start()
    struck.goes_on()
    assert heir in cluster.masters() and victim not in cluster.masters()
    stack.finds_redis()
    spared.ends()
    struck.ends()
    print(f"a push to a user of the dead master was refused within {took * 1000:.0f} ms; to one of another master it took {spared.longest():.2f} s at most")
    assert took < SOON and spared.longest() < SOON
    assert not spared.refused()


def test_failover_by_hand(stack_on, cluster, clients):
    """when replicas are made masters by hand, no push and no poll is refused, and nothing is lost or doubled"""
    stack = stack_on(cluster)
    first, second, _ = cluster.masters()
    # Several pushers to one part: while that is greeted by its new master, some of their pushes are on their way.
    [busy] = cluster.users_of(first, 1)
    traffic = Traffic(clients, stack, cluster, [{slot(busy)}] * 4 + [cluster.slots(second)])
    for old in (first, second):
        [replica] = cluster.replicas(old)
        cluster.failover(replica)
        traffic.goes_on()
        assert old not in cluster.masters()
    traffic.ends()
    assert not traffic.refused()


def test_resharding(stack_on, cluster, clients):
    """while slots move to another master and back, no push and no poll is refused, and nothing is lost or doubled"""
    stack = stack_on(cluster, redis_replicas=1)
    here, there, _ = cluster.masters()
    moving = sorted(cluster.slots(here))[:MOVED]
    traffic = Traffic(clients, stack, cluster, [moving, moving, cluster.slots(there)])
    cluster.reshard(MOVED, here, there)
    assert set(moving) <= cluster.slots(there)
    traffic.goes_on()
    cluster.reshard(MOVED, there, here)
    traffic.ends()
    assert not traffic.refused()


def test_names(stack_on, new_cluster, clients):
    """while slots move among nodes that tell clients their names in the place of their addresses, no request is refused"""
    cluster = new_cluster(replicas=0, cluster_announce_hostname="localhost", cluster_preferred_endpoint_type="hostname")
    stack = stack_on(cluster)
    here, there, _ = cluster.masters()
    moving = sorted(cluster.slots(here))[:MOVED]
    traffic = Traffic(clients, stack, cluster, [moving, cluster.slots(there)])
    for number in {slot(reader.user) for reader in traffic.readers} & set(moving):
        cluster.begin_move(number, here, there)
        cluster.end_move(number, here, there)
    traffic.goes_on()
    traffic.ends()
    assert not traffic.refused()


def test_node_comes_and_goes(stack_on, cluster, clients):
    """while a master is added, gets slots, loses them and is removed, no push and no poll is refused, and nothing is lost or doubled"""
    stack = stack_on(cluster)
    here = cluster.masters()[0]
    moving = sorted(cluster.slots(here))[:MOVED]
    traffic = Traffic(clients, stack, cluster, [moving, moving])
    added = cluster.add_node()
    cluster.reshard(MOVED, here, added)
    assert cluster.slots(added) == set(moving)
    traffic.goes_on()
    cluster.remove_node(added)
    traffic.ends()
    assert not traffic.refused()


def test_all_stopped(stack_on, cluster, clients):
    """when the whole cluster is stopped and started again, polls stay, pushes are refused meanwhile, and nothing is lost or doubled"""
    stack = stack_on(cluster, redis_replicas=1)
    traffic = Traffic(clients, stack, cluster, map(cluster.slots, cluster.masters()))
    for node in cluster.replicas() + cluster.masters():
        node.end()
    name = next(iter(traffic.parked))
    assert is_error(stack.push(name, "in vain"), 503, "store_unavailable")
    assert is_error(stack.get("/readyz"), 503, "not_ready")
    for node in cluster.nodes:
        node.launch()
    for node in cluster.nodes:
        node.wait()
    traffic.ends()
    stack.finds_redis()


# --- two hosts

class Hosts:
    """Two Letterboxes over one cluster, as behind a balancer: who gets no success from one asks the other."""

    def __init__(self, stacks):
        self.stacks = stacks

    def get(self, *arguments, **query):
        return self.ask("get", *arguments, **query)

    def push(self, *arguments, **query):
        return self.ask("push", *arguments, **query)

    def ask(self, what, *arguments, **query):
        first, second = self.stacks
        answer = getattr(first, what)(*arguments, **query)
        return getattr(second, what)(*arguments, **query) if answer.status >= 500 else answer


@pytest.fixture
def hosts(stack_on, cluster):
    return [stack_on(cluster, redis_replicas=1), stack_on(cluster, redis_replicas=1)]


def test_push_at_the_other(hosts, cluster):
    """what is pushed at one of two Letterboxes reaches at once who waits at the other: a user, a group, everybody, and a kick"""
    here, there = hosts
    names = [name for node in cluster.masters() for name in cluster.users_of(node, 5)]
    waits = {name: there.park(name, after=0) for name in names}
    began = time.monotonic()
    assert [here.push(name, "hello").status for name in names] == [201] * len(names)
    answers = {name: poll.answer() for name, poll in waits.items()}
    took = time.monotonic() - began
    assert [data(answer) for answer in answers.values()] == [["hello"]] * len(names)
    print(f"{len(names)} messages reached who waits at the other in {took:.2f} s")

    for to in ("group:both", "*"):
        for name in names:
            assert here.request("PUT", f"/groups/both/{name}").status == 200
        waits = {name: there.park(name, after=answers[name]["cursor"]) for name in names}
        answer = here.push(to, to)
        assert answer.status in (201, 202) and answer.json["accepted"] >= len(names), answer
        answers = {name: poll.answer() for name, poll in waits.items()}
        assert [data(answer) for answer in answers.values()] == [[to]] * len(names)

    waits = there.park(names[0], after=answers[names[0]]["cursor"])
    assert post(here, "/users/kick", user=names[0]).status == 200
    assert waits.answer()["reason"] == "kicked"


def test_killed_in_turn(hosts, cluster, clients):
    """while each of two Letterboxes is killed in turn, who is served by either loses nothing, gets nothing twice, and waits for nothing in vain"""
    names = [name for node in cluster.masters() for name in cluster.users_of(node, 3)]
    readers = [clients(Reader, Hosts(hosts[::order]), name) for order, name in zip([1, -1] * len(names), names)]
    pushers = [clients(Pusher, Hosts(hosts[::order]), names[begin::2], True) for order, begin in ((1, 0), (-1, 1))]

    def goes_on():
        now = time.monotonic()
        eventually(lambda: all(pusher.accepted_after(now) for pusher in pushers), "pushes are accepted")
        eventually(lambda: all(reader.when and reader.when[-1] > now for reader in readers), "messages arrive")

    goes_on()
    for stack in hosts * 2:
        stack.end("poll", signal.SIGKILL)
        goes_on()
        stack.replace("poll", "--workers", 2, "--redis", cluster.address, open=1, redis_replicas=1)
        goes_on()
    for pusher in pushers:
        pusher.end()
        agree(pusher, [reader for reader in readers if reader.user in pusher.users])


# --- all of it

def test_five_hundred_clients(stack_on, cluster, users):
    """500 clients and 20,000 messages over a cluster: nothing lost, doubled or out of order, though clients keep disconnecting"""
    rush(stack_on(cluster), users(250), 80)


def test_acl(stack_on, cluster, tmp_path):
    """with the rights that --acl prints everything works over a cluster, and touches only keys with its prefix"""
    password = tmp_path / "password"
    password.write_text("secret")
    prefix = "one:"
    status, line, _ = run("poll", "--acl", "--redis-user", "site", redis_prefix=prefix)
    assert status == 0
    for node in cluster.nodes:
        node.client.execute_command(line.strip().replace("PASSWORD", "secret"))
        node.client.execute_command("ACL LOG RESET")
    before = set(cluster.client.scan_iter(count=1000))
    stack = stack_on(cluster, redis_user="site", redis_password_file=password, redis_prefix=prefix, events_to="watcher", redis_replicas=1)

    names = [name for node in cluster.masters() for name in cluster.users_of(node, 2)]
    waits = [stack.park(name, after=0) for name in names]
    for name in names[1:]:
        assert is_accepted(stack.push(name, "hello", [("Idempotency-Key", name)], collapse="newest"))
    cluster.client.rpush(prefix + key_in_cluster("mailbox", names[0]), "hello")
    assert [data(poll.answer()) for poll in waits] == [["hello"]] * len(names)
    for name in names:
        assert stack.request("PUT", f"/groups/team/{name}").json["added"] is True
    assert stack.get("/groups/team").json["size"] == len(names)
    assert stack.push("group:team", "to the team").json["accepted"] == len(names)
    # (Who has come is noted up to a fifth of a second later.)
    eventually(lambda: stack.push("*", "to all").json["accepted"] >= len(names), "all get it")
    assert stack.push_json('"later"', to=names[0], delay=60).status == 202
    assert stack.get("/scheduled", user=names[0]).json["scheduled"]
    assert names[0] in str(stack.get("/users").json["users"]) and stack.get("/readyz").status == 200
    eventually(lambda: stack.look("watcher", after=0)["count"], "events are told")
    assert post(stack, "/users/kick", user=names[0]).status == 200
    assert stack.request("DELETE", f"/users/{names[1]}").status == 200

    new = set(cluster.client.scan_iter(count=1000)) - before
    assert new and all(key.startswith(prefix) for key in new), new
    assert [node.client.execute_command("ACL LOG") for node in cluster.nodes] == [[]] * len(cluster.nodes)
