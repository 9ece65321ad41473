# SPDX-License-Identifier: MIT
"""Restarted under load, killed under load, dying again and again: no request fails that need not."""

import asyncio
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import fcgi_peer
from expect import data, is_accepted, is_error, seq
from fcgi_peer import Peer
from stack import BUILD, PARTS, PARTS_APART, SCRIPTS, Program, alive, environment
from waits import SOON, eventually
from web import AsyncConnection, target

PUSHERS = 4
LAST = "the last"
# A request to each program that is answered at once.
WHERE = {"poll": ("GET", "/poll", "user=alice&timeout=0"), "push": ("GET", "/mailbox", "user=alice")}


class Client:
    """A well-behaved client: it keeps its cursor, and comes back when it was told to. It ends with the last message."""

    def __init__(self, user, name):
        self.user = user
        self.name = name
        self.cursor = "0"
        self.messages = []  # (id, data)
        self.pauses = []  # the pauses that programs told it as they ended
        self.refused = []  # answers that refused it
        self.cut = []  # the heads of streams that were cut off

    async def run(self, port):
        connection = await AsyncConnection.open(port)
        while not self.messages or self.messages[-1][1] != LAST:
            answer = await connection.exchange("GET", target("/poll", user=self.user, client=self.name, after=self.cursor, timeout=20))
            if answer.status == 200:
                pause = self.take(answer.json)
            else:
                self.refused.append(answer)
                pause = 10
            await asyncio.sleep(pause / 1000)
        connection.close()

    def take(self, answer):
        assert answer["missed"] == 0 and answer["reset"] is False, answer
        self.messages += [(message["id"], message["data"]) for message in answer["messages"]]
        self.cursor = answer["cursor"]
        if answer["reason"] == "shutdown":
            self.pauses.append(answer["retry_after_ms"])
        return answer["retry_after_ms"]


class Listener(Client):
    """The same with streams, one after the other, each from the id at which the last one ended."""

    async def run(self, port):
        while not self.messages or self.messages[-1][1] != LAST:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            where = target("/events", user=self.user, client=self.name, after=self.cursor)
            writer.write(f"GET {where} HTTP/1.0\r\nHost: letterbox.test\r\n\r\n".encode())
            pause = await self.listen(reader)
            writer.close()
            await asyncio.sleep(pause / 1000)

    async def listen(self, reader):
        """One stream. Returns after how long to come back."""
        event, pause, ended = None, 1000, False
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        while not ended and (line := (await reader.readline()).decode()):
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "id":
                self.cursor = value
            elif name == "retry":
                pause = int(value)
            elif name == "event":
                event = value
            elif name == "data" and event == "letterbox.end":
                ended = True
                if json.loads(value)["reason"] == "shutdown":
                    self.pauses.append(pause)
            elif name == "data" and event is None:
                self.messages.append((self.cursor, json.loads(value)["data"]))
                ended = self.messages[-1][1] == LAST
            elif not name:
                event = None
        if not ended or not head.startswith("HTTP/1.1 200 "):
            self.cut.append(head)
        return pause


class Pusher:
    """Pushes to users at random, one message after the other, until it is told to stop."""

    def __init__(self, number, users):
        self.number = number
        self.users = users
        self.accepted = {user: {} for user in users}  # id -> text
        self.refused = []

    async def run(self, port, stop):
        connection, order, count = await AsyncConnection.open(port), random.Random(self.number), 0
        while not stop.is_set():
            user, text, count = order.choice(self.users), f"{self.number} {count}", count + 1
            answer = await connection.exchange("POST", target("/push", to=user), body=text.encode())
            if answer.status in (201, 202):
                self.accepted[user][answer.json["id"]] = text
            else:
                self.refused.append(answer)
        connection.close()


class Load:
    """A hundred clients, half of which have streams, and a few pushers at work while a function is run."""

    def __init__(self, users):
        self.clients = [kind(user, name) for user in users for kind, name in ((Client, "laptop"), (Listener, "phone"))]
        self.pushers = [Pusher(number, users) for number in range(PUSHERS)]
        self.users = users

    async def during(self, stack, what):
        """Runs what(), a function that blocks, in the middle of the load; returns when every client has its last message."""
        stop = asyncio.Event()
        polling = [asyncio.ensure_future(client.run(stack.port)) for client in self.clients]
        # The first client to come would acknowledge, for all, messages that another has not asked for yet.
        for user in self.users:
            await asyncio.to_thread(stack.has_polls, user, 2)
        pushing = [asyncio.ensure_future(pusher.run(stack.port, stop)) for pusher in self.pushers]
        try:
            await asyncio.to_thread(what)
        finally:
            stop.set()
        await asyncio.gather(*pushing)
        self.last = {user: await asyncio.to_thread(stack.pushed, user, LAST) for user in self.users}
        await asyncio.wait_for(asyncio.gather(*polling), 60)

    def run(self, stack, what):
        asyncio.run(self.during(stack, what))
        return self

    def check(self):
        """Every accepted push came to every client once, in order, and nothing else."""
        for client in self.clients:
            accepted = {id: text for pusher in self.pushers for id, text in pusher.accepted[client.user].items()}
            accepted[self.last[client.user]] = LAST
            numbers = [seq(id) for id, _ in client.messages]
            assert numbers == list(range(1, len(numbers) + 1)), f"{client.user} {client.name}"
            got = dict(client.messages)
            assert {id: got.get(id) for id in accepted} == accepted, f"{client.user} {client.name}"
            unsure = len(got) - len(accepted)
            assert 0 <= unsure <= self.refused_pushes(), f"{client.user} {client.name}"

    def refused_pushes(self):
        return sum(len(pusher.refused) for pusher in self.pushers)

    def cut(self):
        return [head for client in self.clients for head in client.cut]

    def refused(self):
        return [answer for one in self.clients + self.pushers for answer in one.refused]


def nginx_errors(stack):
    return [line for line in (stack.dir / "log" / "nginx.log").read_text().splitlines() if re.search(r"\[(error|crit|alert|emerg)\]", line)]


# --- restart

both_ways = pytest.mark.parametrize("apart", [0, 1], ids=["one program", "two programs"])


@both_ways
def test_restart_under_load(new_stack, users, apart):
    """three restarts in a row under load: not one request fails, and every accepted push comes to every client once and in order"""
    stack = new_stack(workers=3, apart=apart)
    pids = [stack.pids()]

    def restarts():
        for _ in range(3):
            ended = stack.service("restart")
            assert ended.returncode == 0, ended.stdout
            pids.append(stack.pids())

    load = Load(users(50)).run(stack, restarts)
    assert load.refused() == load.cut() == []
    load.check()
    assert nginx_errors(stack) == []
    for before, after in zip(pids, pids[1:]):
        assert [part for part in stack.parts if before[part] != after[part]] == stack.programs
    pauses = [pause for client in load.clients for pause in client.pauses]
    assert len(pauses) >= len(load.clients) and min(pauses) >= 100
    assert len(set(pauses)) > 50 and max(pauses) - min(pauses) > 100, "they are told to return at different moments"


def test_restart_the_other_way(private_stack, users):
    """a restart makes two programs of one, or one of two, under load: not one request fails, and no client misses a message"""
    stack = private_stack
    ran = [stack.pids()]

    def restarts():
        for apart in (1, 0):
            stack.env["LETTERBOX_APART"] = str(apart)
            ended = stack.service("restart")
            assert ended.returncode == 0, ended.stdout
            stack.parts = PARTS_APART if apart else PARTS
            ran.append(stack.pids())
            assert stack.running() == set(stack.parts), ended.stdout
            assert (stack.dir / "run" / "push.pid").exists() == bool(apart)

    load = Load(users(50)).run(stack, restarts)
    assert load.refused() == load.cut() == []
    load.check()
    assert nginx_errors(stack) == []
    assert ran[0]["redis"] == ran[2]["redis"] and len({pids["poll"] for pids in ran}) == 3
    eventually(lambda: not any(alive(pid) for pid in (ran[0]["poll"], ran[1]["poll"], ran[1]["push"])), "the old ones have ended")
    assert not list((stack.dir / "run").glob("*.next.*"))


def test_end_with_kept_connections(private_stack, users):
    """pushes on the connections that nginx keeps are all accepted while the program ends and another begins on the same socket"""
    private_stack.crashes = True
    names = users(40)
    connections = [private_stack.connect() for _ in names]

    def push_all(size):
        for name, connection in zip(names, connections):
            connection.request("POST", f"/push?to={name}", body=b"x" * size)
        assert all(is_accepted(connection.receive()) for connection in connections)

    for _ in range(5):
        push_all(60_000)  # at once, so that nginx keeps many connections
        old = private_stack.pid("push")
        os.kill(old, signal.SIGTERM)
        while alive(old):
            push_all(1)
        push_all(1)
    assert nginx_errors(private_stack) == []


@pytest.mark.parametrize("other_way", [0, 1], ids=["", "to two programs"])
def test_restart_is_refused(private_stack, user, other_way):
    """a restart whose new program does not come up changes nothing, says so and fails"""
    parked = private_stack.park(user, after=0)
    before = private_stack.pids()
    private_stack.env["LETTERBOX_POLL_TIMEOUT"] = "nonsense"
    private_stack.env["LETTERBOX_APART"] = str(other_way)
    ended = private_stack.service("restart")
    assert ended.returncode not in (0, 2) and "poll" in ended.stdout and "LETTERBOX_POLL_TIMEOUT" in ended.stdout, ended.stdout
    assert private_stack.pids() == before and parked.waits()
    assert not list((private_stack.dir / "run").glob("*.next.*"))
    private_stack.pushed(user, "hello")
    assert data(parked.answer()) == ["hello"]
    private_stack.crashes = True


def test_restart_with_another_configuration(private_stack, user):
    """a restart after nginx's configuration was changed has nginx read it, and leaves nginx alone otherwise"""
    workers = private_stack.nginx_workers()
    assert private_stack.service("restart").returncode == 0
    assert private_stack.nginx_workers() == workers
    private_stack.change_nginx("letterbox-upstream.conf", "there is nothing of this name", "changed by hand")
    parked = private_stack.park(user)
    ended = private_stack.service("restart")
    assert ended.returncode == 0, ended.stdout
    assert parked.answer()["reason"] == "shutdown"
    eventually(lambda: not private_stack.nginx_workers() & workers, "nginx's old workers have ended")
    assert b"there is nothing of this name" in private_stack.get("/nowhere").body


def test_restart_starts_what_is_missing(apart_stack, user):
    """a restart starts the parts that do not run, and replaces the rest"""
    apart_stack.pushed(user, "kept")
    before = apart_stack.pids()
    apart_stack.end("poll", signal.SIGKILL)
    ended = apart_stack.service("restart")
    assert ended.returncode == 0 and re.search(r"^poll: started", ended.stdout, re.M) and re.search(r"^push: replaced", ended.stdout, re.M), ended.stdout
    after = apart_stack.pids()
    assert apart_stack.running() == set(PARTS_APART) and after["redis"] == before["redis"] and after["push"] != before["push"]
    assert data(apart_stack.look(user, after=0)) == ["kept"]


# --- the programs alone, with an nginx and a Redis that are there already

class Server:
    """scripts/service --programs as it is installed, on the Redis of a stack."""

    def __init__(self, stack):
        share = stack.dir / "usr/share/letterbox/scripts"
        shutil.copytree(SCRIPTS / "lib", share / "lib")
        shutil.copy(SCRIPTS / "service", share)
        (stack.dir / "usr/bin").symlink_to(BUILD.resolve())
        self.script, self.dir, self.redis = share / "service", stack.dir / "server", f"unix:{stack.socket('redis')}"

    def service(self, verb, **settings):
        """Returns how it ended; its output is in .stdout."""
        env = environment({"redis": self.redis, "build": "", "skip_build": 0} | settings)
        with tempfile.TemporaryFile("a+") as output:
            ended = subprocess.run([self.script, verb, "--programs", "--dir", self.dir], env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=90)
            output.seek(0)
            ended.stdout = output.read()
        return ended

    def pid(self, part="poll"):
        return int((self.dir / f"run/{part}.pid").read_text())

    def peer(self, face):
        return Peer(self.dir / f"run/{face}.sock")


@pytest.fixture
def server(private_stack):
    one = Server(private_stack)
    yield one
    ended = one.service("stop")
    assert ended.returncode == 0, ended.stdout


def test_programs_alone(private_stack, server, user):
    """scripts/service --programs starts one program for both faces, and run again replaces it, with its polls answered and nothing left over"""
    ended = server.service("restart")
    assert ended.returncode == 0 and f"{server.dir.resolve()}/run/poll.sock" in ended.stdout, ended.stdout
    old = server.pid()
    with server.peer("poll") as parked:
        parked.send(fcgi_peer.request("GET", "/poll", "timeout=20", MAILBOX_USER=user))
        private_stack.has_polls(user, 1)
        ended = server.service("restart")
        assert ended.returncode == 0, ended.stdout
        assert parked.receive().json["reason"] == "shutdown"
    eventually(lambda: not alive(old), "the old one has ended")
    assert server.pid() != old
    assert sorted(path.name for path in (server.dir / "run").iterdir()) == ["letterbox-poll", "lock", "poll.pid", "poll.sock", "push.sock"]
    assert server.service("status").stdout == f"poll: runs, pid {server.pid()}\n"
    with server.peer("push") as peer:
        assert peer.exchange("GET", "/readyz").status == 200


def test_programs_alone_are_closed(server, user):
    """such a program believes no user=, unless it is told to"""
    assert server.service("start").returncode == 0
    with server.peer("poll") as peer:
        assert peer.exchange("GET", "/poll", f"user={user}&timeout=0").status == 401
    assert server.service("restart", open=1).returncode == 0
    with server.peer("poll") as peer:
        assert peer.exchange("GET", "/poll", f"user={user}&timeout=0").status == 200


def test_programs_alone_apart(server):
    """there may be two programs, one for each face"""
    assert server.service("start", apart=1).returncode == 0
    assert server.service("status").stdout == f"poll: runs, pid {server.pid()}\npush: runs, pid {server.pid('push')}\n"
    for face in ("poll", "push"):
        with server.peer(face) as peer:
            assert peer.exchange("GET", "/readyz").status == 200


@pytest.mark.parametrize("trouble", ["settings", "redis", "log"])
def test_programs_alone_with_a_successor_that_is_no_good(server, trouble):
    """a successor whose settings are wrong, whose Redis is away or whose log can't be written changes nothing: the old one goes on, and the exit status says so"""
    assert server.service("start").returncode == 0
    old = server.pid()
    if trouble == "log":
        log = server.dir / "log/poll.log"
        log.rename(server.dir / "log/before.log")
        log.mkdir()
    settings = {"settings": {"poll_timeout": "nonsense"}, "redis": {"redis": "unix:/nonexistent/redis.sock"}, "log": {}}[trouble]
    ended = server.service("restart", **settings)
    assert ended.returncode not in (0, 2) and "the old one goes on" in ended.stdout, ended.stdout
    assert server.pid() == old and alive(old) and not list((server.dir / "run").glob("*.next.*"))
    for face in ("poll", "push"):
        with server.peer(face) as peer:
            assert peer.exchange("GET", "/readyz").status == 200
    if trouble == "log":
        log.rmdir()


def test_programs_alone_kill_nobody_else(server):
    """a pid file that names another program's process gets no process killed"""
    assert server.service("start").returncode == 0
    ours = server.pid()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            (server.dir / "run/poll.pid").write_text(f"{stranger.pid}\n")
            assert server.service("restart").returncode == 0
            assert stranger.poll() is None and server.pid() not in (stranger.pid, ours)
        finally:
            stranger.kill()


# --- the end of a program

@pytest.fixture(params=["poll", "push"])
def program(request, private_stack):
    """One program of the test's own, its socket, and a request to it."""
    path = private_stack.dir / "run" / "own.sock"
    yield Program(request.param, "--listen", path, "--redis", f"unix:{private_stack.socket('redis')}", "--workers", 2,
                  *(["--open"] if request.param == "poll" else [])).listens(path), path, WHERE[request.param]


def test_end_of_a_kept_connection(program):
    """a program that ends has a kept connection closed by its peer, and answers a request that crosses that"""
    ending, path, where = program
    with Peer(path) as idle, Peer(path) as used:
        assert idle.exchange(*where).status == used.exchange(*where).status == 200
        ending.send_signal(signal.SIGTERM)
        assert idle.told_to_close() and used.told_to_close()
        idle.close()
        assert used.exchange(*where).status == 200
        assert used.told_to_close()
    assert ending.wait(5) == 0


def test_end_with_a_silent_peer(program):
    """a peer that closes nothing, or says nothing, does not hold up the end of a program"""
    ending, path, where = program
    with Peer(path) as kept, Peer(path) as silent:
        assert kept.exchange(*where).status == 200
        before = time.monotonic()
        assert ending.end() == 0
        assert time.monotonic() - before < SOON
        assert kept.ended() and silent.ended()


def test_end_with_requests_in_the_backlog(program):
    """a request that waits in the backlog as a program is told to end is still served"""
    ending, path, where = program
    ending.send_signal(signal.SIGSTOP)
    waiting = [Peer(path).send(fcgi_peer.request(*where)) for _ in range(100)]
    ending.send_signal(signal.SIGTERM)
    ending.send_signal(signal.SIGCONT)
    for peer in waiting:
        assert peer.receive().status == 200
        peer.close()
    assert ending.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2], ids=["USR1", "USR2"])
def test_signals_of_multiwatch(program, number):
    """SIGUSR1 ends a program as SIGTERM does, SIGUSR2 reopens its log as SIGHUP does: these are the signals that multiwatch passes on"""
    ending, path, where = program
    ending.send_signal(number)
    if number == signal.SIGUSR2:
        with Peer(path) as peer:
            assert peer.exchange(*where).status == 200
        ending.send_signal(signal.SIGTERM)
    assert ending.wait(5) == 0


# --- kept running

@both_ways
def test_killed_under_load(new_stack, users, apart):
    """all programs killed again and again under load: a push fails only if it was in flight, and none that was accepted is lost"""
    stack = new_stack(workers=2, apart=apart)
    kills = 3

    def kill():
        for _ in range(kills):
            for part in stack.programs:
                stack.crash(part)
                name = f"after.{part}"
                before = time.monotonic()
                assert is_accepted(stack.push(name, "served"))
                assert stack.look(name)["reason"] in ("messages", "timeout")
                assert time.monotonic() - before < SOON, "it serves again at once"

    load = Load(users(50)).run(stack, kill)
    load.check()
    assert all(is_error(answer, 502, "away") for answer in load.refused())
    assert load.refused_pushes() <= PUSHERS * kills
    waits = {answer.json["error"]["retry_after_ms"] for client in load.clients for answer in client.refused}
    assert all(1000 <= wait < 10_000 for wait in waits)


@pytest.mark.parametrize("part", ["poll", "push"])
def test_requests_while_it_is_down(either_stack, user, part):
    """requests sent while a program is down wait for the next one, and are served"""
    keeper, dead = either_stack.keeper(part), either_stack.pid(part)
    either_stack.crashes = True
    os.kill(keeper, signal.SIGSTOP)
    os.kill(dead, signal.SIGKILL)
    eventually(lambda: not alive(dead), "it is down")
    waiting = []
    for number in range(20):
        waiting.append(either_stack.connect())
        if part == "push":
            waiting[-1].request("POST", f"/push?to={user}", body=str(number).encode())
        else:
            waiting[-1].request("GET", f"/poll?user={user}.{number}&timeout=0")
    assert all(connection.quiet() for connection in waiting)
    os.kill(keeper, signal.SIGCONT)
    statuses = [connection.receive().status for connection in waiting]
    assert set(statuses) <= ({201, 202} if part == "push" else {200})


@pytest.mark.parametrize("apart, part", [(0, "poll"), (1, "poll"), (1, "push")])
def test_dies_again_and_again(new_stack, apart, part):
    """multiwatch gives up after a few starts of a program that dies at once; status and log say so, and start begins again"""
    stack = new_stack(apart=apart)
    stack.crashes = True
    starts = stack.dir / "starts"
    broken = stack.dir / "run" / f"letterbox-{part}"
    broken.unlink()
    broken.write_text(f"#!/bin/sh\necho start >>'{starts}'\nexit 1\n")
    broken.chmod(0o755)
    keeper = stack.keeper(part)
    stack.kill(part, signal.SIGKILL)
    eventually(lambda: not alive(keeper), "multiwatch gives up")
    assert 1 < len(starts.read_text().splitlines()) <= 12
    ended = stack.service("status")
    assert ended.returncode == 3 and re.search(rf"^{part}: does not run; it died again and again, see .*/log/{part}\.log$", ended.stdout, re.M), ended.stdout
    assert (stack.dir / "log" / f"{part}.log").read_text().endswith("not forking again\n")
    assert stack.service("start").returncode == 0
    assert stack.service("status").returncode == 0
