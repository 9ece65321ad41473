# SPDX-License-Identifier: MIT
"""scripts/run and scripts/service with --cluster: six nodes of Redis in the place of one."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest
import redis

from background import Background
from expect import data, is_accepted
from ports import spare_port
from redis_cluster import Cluster, ServedCluster, slot
from stack import NODES, ROOT, SCRIPTS, Face, alive, environment, new_directory
from waits import eventually
from web import DEADLINE

# Redis of a stack alone, by the functions that scripts/service calls.
SERVERS = """
set -eu
me=scripts/service root=$1
. "$root/scripts/lib/stack.sh"
read_options --dir "$2" --cluster
open_stack
lock_stack
"$3"
"""


@pytest.fixture
def stack(new_stack):
    return new_stack(cluster=True, workers=2)


def client(stack, node):
    return redis.Redis(port=stack.redis_port(node), socket_timeout=DEADLINE, decode_responses=True)


def role(stack, node):
    return client(stack, node).info("replication")["role"]


def state(stack, node):
    return client(stack, node).execute_command("CLUSTER INFO")["cluster_state"]


def serves(stack, node, user):
    """Whether a node is the master of a user's keys."""
    if role(stack, node) != "master":
        return False
    for first, last, (_, port, *_), *_ in client(stack, node).execute_command("CLUSTER", "SLOTS"):
        if first <= slot(user) <= last:
            return port == stack.redis_port(node)
    return False


def test_start(stack):
    """start makes a cluster of three masters and three replicas on loopback, with append-only files, and the curl lines that it prints work"""
    said = stack.service("start").stdout
    assert len(re.findall(r"(?m)^(\S+): runs already, pid \d+$", said)) == len(stack.parts)
    assert {state(stack, node) for node in NODES} == {"ok"}
    for node in NODES:
        known = client(stack, node).execute_command("CLUSTER NODES").values()
        assert sorted(entry["flags"].replace("myself,", "") for entry in known) == ["master"] * 3 + ["slave"] * 3
        config = client(stack, node).config_get("*")
        assert (config["bind"], config["appendonly"]) == ("127.0.0.1", "yes")
        assert list((stack.dir / node).rglob("*aof*")) and (stack.dir / "log" / f"{node}.log").exists()
    poll, push = [line.strip() for line in said.splitlines() if line.strip().startswith("curl ")]
    with subprocess.Popen(poll, shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as waiting:
        eventually(lambda: stack.mailbox("alice")["polls"] == 1, "the first line waits")
        pushed = subprocess.run(push, shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=DEADLINE)
        assert pushed.returncode == 0 and json.loads(pushed.stdout)["waiting"] is True
        answer, _ = waiting.communicate(timeout=DEADLINE)
    assert data(json.loads(answer)) == ["hello"]


def test_status_stop_start(stack, users):
    """status has a line for each node, with its role; stop leaves no process, and the next start has the same cluster with all messages"""
    names = users(20)
    for user in names:
        stack.pushed(user, "kept")
    ended = stack.service("status")
    lines = re.findall(r"(?m)^(redis-\d): runs, pid (\d+), (master|replica), 127\.0\.0\.1:(\d+)$", ended.stdout)
    assert ended.returncode == 0 and [(node, int(pid)) for node, pid, *_ in lines] == [(node, stack.pid(node)) for node in NODES]
    assert sorted(its for _, _, its, _ in lines) == ["master"] * 3 + ["replica"] * 3
    pids, name = stack.pids(), client(stack, "redis-1").execute_command("CLUSTER MYID")
    ended = stack.service("stop")
    assert ended.returncode == 0 and len(re.findall(r"(?m): stopped$", ended.stdout)) == len(stack.parts)
    assert not any(map(alive, pids.values())) and not list((stack.dir / "run").glob("*.pid"))
    assert stack.service("start", "--cluster").returncode == 0
    assert client(stack, "redis-1").execute_command("CLUSTER MYID") == name
    assert all(data(stack.look(user, after=0)) == ["kept"] for user in names)


def test_killed_nodes(stack, users):
    """start starts the nodes that were killed, master and replica, where they were, leaves all else alone, and every message is there"""
    names = users(20)
    for user in names:
        stack.pushed(user, "kept")
    before, ports = stack.pids(), [stack.redis_port(node) for node in NODES]
    killed = [next(node for node in NODES if role(stack, node) == its) for its in ("master", "slave")]
    stack.kill(killed[1], signal.SIGSTOP)
    ended = stack.service("status")
    assert ended.returncode == 3 and f"{killed[1]}: runs, pid {before[killed[1]]}, does not answer, " in ended.stdout
    for node in killed:
        stack.end(node, signal.SIGKILL)
    assert stack.service("status").returncode == 3
    ended = stack.service("start")
    assert ended.returncode == 0, ended.stdout
    assert {part for part in stack.parts if stack.pid(part) != before[part]} == set(killed)
    assert sorted(re.findall(r"(?m)^(\S+): started", ended.stdout)) == sorted(killed)
    assert [stack.redis_port(node) for node in NODES] == ports
    assert {state(stack, node) for node in NODES} == {"ok"} and stack.service("status").returncode == 0
    master, replica = (next(node for node in NODES if role(stack, node) == its) for its in ("master", "slave"))
    client(stack, master).execute_command("CLUSTER", "FORGET", client(stack, replica).execute_command("CLUSTER MYID"))
    ended = stack.service("status")
    assert ended.returncode == 3 and "the cluster is not whole: the nodes do not all know" in ended.stdout
    assert all(data(stack.look(user, after=0)) == ["kept"] for user in names)


class Moves(threading.Thread):
    """Has slots go back and forth between two masters until it is told to end."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = Cluster(cluster.masters())  # replicas, which may be away, are not asked
        self.masters, self.moved = self.cluster.nodes[:2], 0
        self.slots = sorted(cluster.slots(self.masters[0]))[:50]
        self.ended = threading.Event()
        self.start()

    def run(self):
        for one, other in itertools.cycle([self.masters, self.masters[::-1]]):
            for number in self.slots:
                if self.ended.is_set():
                    return
                self.cluster.begin_move(number, one, other)
                self.cluster.end_move(number, one, other)
                self.moved += 1


def test_moving_slots(stack, clients, users):
    """a killed node is started, and all is said to be well, while slots move from master to master"""
    names = users(20)
    for user in names:
        stack.pushed(user, "kept")
    replica = next(node for node in NODES if role(stack, node) == "slave")
    moves = clients(Moves, ServedCluster(stack))
    stack.end(replica, signal.SIGKILL)
    for verb in ("start", "status"):
        ended, before = stack.service(verb), moves.moved
        assert ended.returncode == 0, ended.stdout
        eventually(lambda: moves.moved > before, "slots still move")
    moves.ended.set()
    moves.join(DEADLINE)
    assert all(data(stack.look(user, after=0)) == ["kept"] for user in names)


def test_master_dies(stack, user):
    """a master that is killed is replaced by its replica, and comes back as one"""
    master = next(node for node in NODES if serves(stack, node, user))
    parked = stack.park(user, client="waiting", after=stack.pushed(user, "before"))
    stack.end(master, signal.SIGKILL)
    others = [node for node in NODES if node != master]
    eventually(lambda: sum(role(stack, node) == "master" for node in others) == 3, "its replica is a master", deadline=30)
    eventually(lambda: stack.push(user, "after").status in (201, 202), "pushes go on", deadline=30)
    assert data(parked.answer())[0] == "after"
    assert stack.service("start").returncode == 0
    assert role(stack, master) == "slave" and data(stack.look(user, after=0))[-1] == "after"


def test_restart(stack, user):
    """restart replaces the program without --cluster, too, also on another port, and leaves the nodes alone"""
    stack.pushed(user, "kept")
    before = stack.pids()
    ended = stack.service("restart")
    assert ended.returncode == 0, ended.stdout
    assert {part for part in stack.parts if stack.pid(part) != before[part]} == {"poll"}
    stack.port = spare_port()
    ended = stack.service("restart")
    assert ended.returncode == 0, ended.stdout
    assert data(stack.look(user, after=0)) == ["kept"] and stack.running() == set(stack.parts)


def test_one_redis_stays_one(private_stack):
    """--cluster is refused while one Redis runs there, and that goes on"""
    before = private_stack.pids()
    for verb in ("start", "restart"):
        ended = private_stack.service(verb, "--cluster")
        assert ended.returncode not in (0, 2) and "is no cluster" in ended.stdout, ended.stdout
    assert private_stack.pids() == before and is_accepted(private_stack.push("alice", "hello"))


def test_run(tmp_path):
    """scripts/run --cluster says so if a node ends, and goes on; a node that scripts/service starts again is taken down with all the others"""
    directory, port = new_directory(), spare_port()
    command = [SCRIPTS / "run", "--cluster", "--dir", directory, "--port", str(port)]
    try:
        with Background(command, environment(), tmp_path) as running:
            said = running.out_file.read_text
            eventually(lambda: re.search(r"(?m)^ready ", said()) or running.process.poll() is not None, "it is ready", deadline=60)
            assert running.process.poll() is None, said() + running.err_file.read_text()
            pids = {node: int((directory / "run" / f"{node}.pid").read_text()) for node in NODES}
            os.kill(pids["redis-6"], signal.SIGKILL)
            eventually(lambda: "redis-6: has ended; the cluster goes on" in said(), "it says so")
            assert Face(port).push("alice", "hello").status == 202
            again = subprocess.run([SCRIPTS / "service", "start", "--dir", directory], env=environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, timeout=60)
            assert again.returncode == 0
            pids["again"] = int((directory / "run" / "redis-6.pid").read_text())
            running.process.terminate()
            assert running.process.wait(60) == 0 and not any(map(alive, pids.values()))
    finally:
        subprocess.run([SCRIPTS / "service", "stop", "--dir", directory], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
        shutil.rmtree(directory)


def test_interrupted_first_start():
    """if making the cluster was interrupted, the next start makes it"""
    directory = new_directory()

    def servers(function):
        ended = subprocess.run(["sh", "-c", SERVERS, "sh", ROOT, directory, function], env=environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert ended.returncode == 0, ended.stdout

    def cli(node, *words):
        port = (directory / node / "port").read_text().strip()
        return subprocess.run(["redis-cli", "-p", port, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=DEADLINE).stdout

    try:
        servers("start_servers")
        for node in NODES:  # to a state in which an interruption may leave it: some slots given, some nodes unknown
            cli(node, "cluster", "reset", "hard")
        cli("redis-1", "cluster", "addslotsrange", "0", "5460")
        cli("redis-1", "cluster", "meet", "127.0.0.1", (directory / "redis-2" / "port").read_text().strip())
        servers("start_servers")
        assert all("cluster_state:ok" in cli(node, "cluster", "info") for node in NODES)
        assert sum("role:master" in cli(node, "info", "replication") for node in NODES) == 3
    finally:
        with contextlib.suppress(AssertionError):
            servers("stop_stack")
        shutil.rmtree(directory)


def test_programs_have_no_cluster():
    """--programs with --cluster is refused, since Redis is not its own"""
    ended = subprocess.run([SCRIPTS / "service", "start", "--programs", "--cluster"], env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert ended.returncode == 2 and "LETTERBOX_REDIS=cluster:" in ended.stderr
