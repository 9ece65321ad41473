# SPDX-License-Identifier: MIT
"""The clusters that tests run on: what a test does to one has been done when the call returns."""

from keys import PARTS, part
from redis_cluster import SLOTS, slot
from waits import eventually


def spread(cluster):
    """How many slots each master has."""
    return {node.port: len(cluster.slots(node)) for node in cluster.masters()}


def test_cluster(new_cluster, user):
    """a master that is killed is replaced, comes back as a replica, and is made the master again by hand"""
    cluster = new_cluster()
    assert len(cluster.masters()) == len(cluster.replicas()) == 3 and sum(spread(cluster).values()) == SLOTS
    keys = {f"{{{number}}}key": str(number) for number in range(PARTS)}
    for key, value in keys.items():
        cluster.client.set(key, value)
    master, = {cluster.master_of(name) for name in cluster.users_of(cluster.master_of(user), 5)}
    slots = cluster.kill(master)
    heir = cluster.heir(slots)
    assert slot(user) in slots and heir is not master and len(cluster.living()) == 5
    master.start()
    cluster.wait_ok()
    eventually(lambda: master.replicates(heir), "the old master is a replica of the new one")
    cluster.failover(master)
    assert cluster.master_of(user) is master and cluster.role(heir) == "replica"
    assert {key: cluster.client.get(key) for key in keys} == keys


def test_slots_that_move(new_cluster):
    """slots move with their keys, also to a node that is added, and away from one that is removed"""
    cluster = new_cluster(replicas=0)
    keys = {f"{{{number}}}key": str(number) for number in range(PARTS)}
    for key, value in keys.items():
        cluster.client.set(key, value)
    first, second, _ = cluster.masters()
    before = spread(cluster)
    cluster.reshard(100, first, second)
    assert spread(cluster) == before | {first.port: before[first.port] - 100, second.port: before[second.port] + 100}
    added = cluster.add_node()
    cluster.reshard(500, first, added)
    assert spread(cluster)[added.port] == 500
    replica = cluster.add_node(added)
    assert cluster.replicas(added) == [replica]
    cluster.remove_node(replica)
    cluster.remove_node(added)
    assert len(cluster.masters()) == 3 and not added.process
    assert {key: cluster.client.get(key) for key in keys} == keys


def test_parts():
    """the tests find a user's part by CRC16 as Redis has it"""
    assert part("123456789") == 0x31C3 % PARTS
    assert slot("123456789") == 10631, "of {67}, the part of this user"
