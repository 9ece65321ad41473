# SPDX-License-Identifier: MIT
"""Faults, each a named switch: things that may happen to the programs, nginx, Redis and the clients while a load runs.

A fault is a function that strikes once and returns when that is over: everything it took away is back. `trial` strikes
again and again at random moments, and reports the outcome.
"""

import contextlib
import os
import random
import resource
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis

from load import Load
from redis_cluster import ServedCluster
from stack import alive
from waits import eventually, moment

FAULTS = {}  # by name
KINDS = {}  # names by the thing that they strike at: several of different kinds may strike at once. Redis is either `redis` or `cluster`
EVERYTHING = "everything"


def fault(kind):
    def note(function):
        name = function.__name__.replace("_", "-")
        FAULTS[name] = function
        KINDS.setdefault(kind, []).append(name)
        return function
    return note


class Scene:
    """What faults strike at, and the dice they throw."""

    def __init__(self, stack, load, seed):
        self.stack = stack
        self.cluster = ServedCluster(stack) if stack.nodes else None
        self.load = load
        self.random = random.Random(seed)
        self.blows = 0
        self.struck = []
        self.starting = threading.Lock()

    def passes(self, least, most):
        moment(self.random.uniform(least, most))

    def program(self, part):
        """The pid of a program, however it was started; None while it does not run."""
        for entry in Path("/proc").iterdir():
            try:
                ours = entry.name.isdigit() and os.readlink(entry / "cwd") == str(self.stack.dir)
                if ours and os.readlink(entry / "exe").removesuffix(" (deleted)").endswith(f"/letterbox-{self.stack.serving(part)}"):
                    return int(entry.name)
            except OSError:
                continue  # it has just ended, or is a zombie
        return None

    def running(self, part):
        return eventually(lambda: self.program(part), f"{part} runs", deadline=30)

    def start(self):
        """Starts every part that does not run. While another fault lasts that may take several attempts."""
        with self.starting:
            eventually(lambda: self.stack.service("start").returncode == 0, "all is started", deadline=60)

    def cut(self):
        """Has Redis close the programs' connections, and not those of other faults."""
        for connection in [node.client for node in self.cluster.living()] if self.cluster else [self.stack.redis]:
            for client in connection.client_list():
                if client["name"].startswith("letterbox"):
                    connection.client_kill_filter(_id=client["id"])

    @property
    def kinds(self):
        return sorted(set(KINDS) - {"redis" if self.cluster else "cluster"})

    def strike(self, names):
        """The faults of these names, all at once."""
        self.struck.append(" + ".join(names))
        self.blows += len(names)
        with ThreadPoolExecutor(len(names)) as hands:
            for blow in [hands.submit(FAULTS[name], self) for name in names]:
                blow.result()


# --- programs

@fault("programs")
def kill_poll(scene):
    """SIGKILL of letterbox-poll, which serves both faces unless they are apart"""
    kill_program(scene, "poll")


@fault("programs")
def kill_push(scene):
    """SIGKILL of letterbox-push, if it has a process of its own"""
    kill_program(scene, "push")


def kill_program(scene, part):
    pid = scene.running(part)
    keeper = parent(pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), f"{part} has ended")
    if name_of(keeper) != "multiwatch":
        scene.start()
    scene.running(part)


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def name_of(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip()


@fault("programs")
def low_nofile(scene):
    """a program has used up its file descriptors, as a crowd arrives"""
    pid = scene.running(scene.random.choice(scene.stack.programs))
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) // 2, hard))
    try:
        scene.load.crowd_leaves()
        scene.passes(0.5, 2)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@fault("programs")
def full_backlog(scene):
    """a program is stopped until no client can connect to it any more"""
    part = scene.random.choice(["poll", "push"])
    pid = scene.running(part)
    os.kill(pid, signal.SIGSTOP)
    queue = []
    try:
        while len(queue) < 5000:
            queue.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            if queue[-1].connect_ex(str(scene.stack.socket(part))) != 0:
                break
        scene.load.crowd_leaves()
        scene.passes(0.2, 2)
    finally:
        for one in queue:
            one.close()
        os.kill(pid, signal.SIGCONT)


@fault("programs")
def log_full(scene):
    """the disk of the logs is full, and there is much to log"""
    logs = [scene.stack.dir / "log" / f"{part}.log" for part in scene.stack.programs]
    for log in logs:
        log.rename(log.with_suffix(".kept"))
        log.symlink_to("/dev/full")
    open_logs_anew(scene)
    try:
        with contextlib.suppress(redis.RedisError):  # which is away by another fault: the programs log that, too
            scene.cut()
        scene.passes(0.3, 1)
    finally:
        for log in logs:
            log.unlink()
            log.with_suffix(".kept").rename(log)
        open_logs_anew(scene)


def open_logs_anew(scene):
    for part in scene.stack.programs:
        os.kill(scene.running(part), signal.SIGHUP)


# --- nginx

@fault("nginx")
def kill_nginx_workers(scene):
    """SIGKILL of one of nginx's workers, or of all of them"""
    workers = sorted(scene.stack.nginx_workers())
    for pid in scene.random.sample(workers, scene.random.randint(1, len(workers))):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(scene.stack.nginx_workers() - set(workers)) > 0, "there are new ones")


# --- clients

@fault("clients")
def vanish_parked(scene):
    """clients close their connections while their polls are parked"""
    vanish(scene, "parked")


@fault("clients")
def vanish_midway(scene):
    """clients close their connections between an answer's header and its body"""
    vanish(scene, "midway")


@fault("clients")
def vanish_after_answer(scene):
    """clients read their answer and close, and do not acknowledge it"""
    vanish(scene, "answered")


def vanish(scene, how):
    scene.load.vanishing[how] = 0.3
    scene.passes(0.3, 1.5)
    scene.load.vanishing[how] = 0


# --- Redis

@fault("redis")
def redis_client_kill(scene):
    """Redis closes all connections of the programs"""
    scene.cut()


@fault("redis")
def redis_client_pause(scene):
    """Redis answers no client for a while (CLIENT PAUSE), longer than patience or shorter; or only no writes"""
    seconds = scene.random.uniform(0.1, 2.6)
    scene.stack.redis.execute_command("CLIENT", "PAUSE", int(seconds * 1000), scene.random.choice(["ALL", "WRITE"]))
    moment(seconds)


@fault("redis")
def redis_stop_cont(scene):
    """Redis is stopped for a while (SIGSTOP), longer than patience or shorter"""
    scene.stack.kill("redis", signal.SIGSTOP)
    scene.passes(0.1, 2.6)
    scene.stack.kill("redis", signal.SIGCONT)


@fault("redis")
def redis_restart(scene):
    """Redis ends, by SHUTDOWN or by SIGKILL, and is started again with its append-only file"""
    # With `everysec` it may answer while its disk is busy with what it has written before.
    scene.stack.redis.config_set("appendfsync", "always")
    scene.passes(0, 0.5)
    scene.stack.end("redis", scene.random.choice([signal.SIGTERM, signal.SIGKILL]))
    scene.passes(0, 0.5)
    scene.start()


@fault("redis")
def script_flush(scene):
    """Redis forgets the scripts"""
    for _ in range(scene.random.randint(1, 20)):
        scene.stack.redis.script_flush()
        scene.passes(0, 0.02)


@fault("redis")
def redis_oom(scene):
    """Redis is out of memory, or soon will be"""
    connection = scene.stack.redis
    used = connection.info("memory")["used_memory"]
    connection.config_set("maxmemory", scene.random.choice([1, used + 50_000]))
    scene.passes(0.2, 1.5)
    connection.config_set("maxmemory", 0)


@fault("redis")
def redis_readonly(scene):
    """Redis becomes a replica, and a master again"""
    connection = scene.stack.redis
    connection.replicaof("127.0.0.1", "1")
    scene.passes(0.2, 1.5)
    connection.replicaof("NO", "ONE")


# --- Redis as a cluster

@fault("cluster")
def kill_master(scene):
    """SIGKILL of a master of a cluster; a replica takes its place, and it comes back as a replica"""
    cluster = scene.cluster
    slots = cluster.kill(scene.random.choice(cluster.masters()))
    cluster.heir(slots)
    scene.passes(0, 0.5)
    scene.start()
    cluster.wait_ok()


@fault("cluster")
def failover(scene):
    """a replica of a cluster is made the master by hand (CLUSTER FAILOVER)"""
    scene.cluster.failover(scene.random.choice(scene.cluster.replicas()))


@fault("cluster")
def reshard(scene):
    """slots of a cluster move from one master to another, and others back, with redis-cli --cluster reshard"""
    here, there = scene.random.sample(scene.cluster.masters(), 2)
    count = scene.random.randint(1, 300)
    scene.cluster.reshard(count, here, there)
    scene.cluster.reshard(count, there, here)


# --- the trial

class Report:
    """The outcome of a trial, in a line; and the promises that it broke."""

    def __init__(self, name, seed, scene, load):
        ledger, sent = load.ledger, load.ledger.sent
        self.broken = ledger.broken
        self.struck = scene.struck
        self.recovered = load.recovered
        errors = ", ".join(f"{count} x {error}" for error, count in sorted(ledger.errors.items())) or "none"
        self.text = (f"{name}, seed {seed}: {scene.blows} blows; pushes: {sent['accepted']} accepted, {sent['refused']} refused, {sent['unknown']} unanswered; "
                     f"{ledger.delivered} messages delivered, {ledger.again} of them again, {ledger.lost_by_consumers} lost without a cursor; "
                     f"errors: {errors}; all well {self.recovered:.2f} s after the last blow")

    def __str__(self):
        if not self.broken:
            return self.text
        return "\n".join([self.text, f"struck by, in this order: {', '.join(self.struck)}", *self.broken[:40]])


def trial(stack, name, seed, seconds):
    """Lets one fault strike again and again for `seconds`, or all of them in turns, several at once."""
    with Load(stack.port, seed) as load:
        scene = Scene(stack, load, f"{seed} {name}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            scene.passes(0.05, 0.6)
            if name == EVERYTHING:
                kinds = scene.random.sample(scene.kinds, scene.random.randint(1, len(scene.kinds)))
                scene.strike([scene.random.choice(KINDS[kind]) for kind in kinds])
            else:
                scene.strike([name])
        load.settle(scene.blows)
    return Report(name, seed, scene, load)


def over_cluster():
    """The settings of a stack over a cluster for which nothing that was accepted is lost with a master."""
    return {"cluster": True, "redis_replicas": 1}


def prepare(stack):
    """A client that found a program away is told by nginx to come back after some seconds: as long as a trial. Here it is a fraction of a second."""
    stack.crashes = True  # crashes are what is tried here
    stack.change_nginx("letterbox-upstream.conf", r'try again","terminal":false,"retry_after_ms":\$letterbox_away_ms', 'try again","terminal":false,"retry_after_ms":200')
    stack.reload_nginx()
    return stack
