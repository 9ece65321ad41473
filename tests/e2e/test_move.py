# SPDX-License-Identifier: MIT
"""scripts/move-mailboxes: all of Letterbox goes from one Redis into a cluster."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
import redis

from background import Background
from expect import data, is_accepted, is_error
from keys import PARTS, part
from ongoing import Pusher, Reader, agree
from ports import spare_port
from redis_cluster import slot
from redis_group import Server
from stack import BUILD, SCRIPTS, environment, new_directory
from waits import eventually

sys.path.insert(0, str(SCRIPTS / "lib"))
from resp import Cluster  # noqa: E402

OF_USERS = ["mailbox", "unacked", "base", "clients", "collapse", "presence", "tokens", "standing", "groups", "scheduled", "pushed"]


@pytest.fixture
def cluster(new_cluster):
    return new_cluster(replicas=0)


def source(stack):
    return f"unix:{stack.socket('redis')}"


def move(*arguments, status=0):
    """What it printed; on standard error if it has failed."""
    ended = subprocess.run([SCRIPTS / "move-mailboxes", *map(str, arguments)], env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert ended.returncode == status, (ended.returncode, ended.stdout, ended.stderr)
    return ended.stdout if status == 0 else ended.stderr


def go_on_over(cluster, stack):
    """Puts a program in the place of the stack's which finds Redis in the cluster."""
    stack.replace("poll", "--redis", cluster.address, open=1)
    stack.finds_redis()


def refuses(stack):
    """Whether a stack's Redis is made to refuse writes."""
    return stack.redis.config_get("min-replicas-to-write") == {"min-replicas-to-write": "1000000"}


def counts(printed):
    """The numbers of keys by kind."""
    line = next(line for line in printed.splitlines() if re.match(r"[a-z]+ \d", line))
    return {kind: int(number.replace(",", "")) for kind, number in re.findall(r"([a-z]+) ([\d,]+)(?:, |$)", line)}


def content(client, key):
    """What a key holds, whatever its type is, in an order of its own if Redis promises none."""
    kind = client.type(key)
    return {"string": lambda: client.get(key), "list": lambda: client.lrange(key, 0, -1), "hash": lambda: client.hgetall(key),
            "set": lambda: client.smembers(key), "zset": lambda: dict(client.zrange(key, 0, -1, withscores=True)), "stream": lambda: client.xlen(key)}[kind]()


def all_content(client):
    """Of a cluster, or of one Redis: {key: (content, whether it expires)}."""
    return {key: (content(client, key), client.ttl(key) > 0) for key in client.scan_iter(count=1000)}


def one(stack):
    """A client of a stack's Redis that reads text."""
    return redis.Redis(unix_socket_path=str(stack.socket("redis")), decode_responses=True)


def in_cluster(key):
    """The name in the cluster of a key of one user."""
    kind, user, rest = re.fullmatch(r"([a-z]+):\{([^}]+)\}(.*)", key).groups()
    return f"{kind}:{{{part(user)}}}{user}{rest}"


def sent(stack, method, path, document):
    answer = stack.request(method, path, [("Content-Type", "application/json")], json.dumps(document).encode())
    assert answer.status in (200, 201), answer
    return answer.json


def fill(stack, users):
    """Some of everything that Letterbox keeps. Returns the first user's token."""
    for number, user in enumerate(users):
        stack.pushed(user, f"first {number}")
        stack.pushed(user, "collapsed", collapse="key")
        stack.pushed(user, "collapsed again", collapse="key", ttl=3600)
        assert stack.push(user, "later", delay=3600).status == 202
        answer = stack.push(user, "once", headers=[("Idempotency-Key", f"{user}-key")])
        assert is_accepted(answer)
        assert stack.look(user, client="page", after=0)["count"] >= 3
    made = sent(stack, "POST", "/tokens", {"user": users[0], "ttl": 600})
    sent(stack, "POST", "/users/lock", {"user": users[1]})
    sent(stack, "PUT", "/groups/all", users)
    sent(stack, "PUT", "/groups/few", users[:3])
    assert stack.push("group:few", "to a group", headers=[("Idempotency-Key", "to the group")]).status in (201, 202)
    return made


def test_everything(new_stack, cluster, users):
    """every key comes into the cluster under its name there, with its content and its expiry; what concerns all users is divided by their parts of the cluster"""
    stack, users = new_stack(events_to="group:watchers", workers=2), users(40)
    fill(stack, users)
    stack.end("poll")  # what was there then is what is compared
    before = one(stack)
    before.rpush(f"mailbox:{{{users[0]}}}", "pushed by hand")
    before.rpush("letterbox:events", *(f"online {number} {user}" for number, user in enumerate(users)))
    before.zadd("letterbox:unheard", {f"{user} 1795287660456-1": 5 for user in users})
    before.zadd("group:{by hand}", {user: 0 for user in users[:2]})  # not in letterbox:groups
    before.set("letterbox:groups-found", 1)
    before.set("a key of another program", 1)
    kept = all_content(before)
    printed = move(source(stack), cluster.address)
    there = all_content(cluster.client)

    of_users = {key: what for key, what in kept.items() if re.match(r"(?!group:)[a-z]+:\{", key)}
    assert {key.partition(":")[0] for key in of_users} == set(OF_USERS)
    for key, what in of_users.items():
        assert there.pop(in_cluster(key)) == what, key
    for key in [key for key in kept if key.startswith("letterbox:idempotency:")]:
        name = key.rpartition(":")[2]
        assert there.pop(f"letterbox:idempotency:{{{part(name)}}}{name}") == kept[key]

    def user_in(member):
        return next(user for user in sorted(users, key=len, reverse=True) if member.startswith(f"{user} ") or member.endswith(f" {user}")
                    or member == user or re.fullmatch(re.escape(user) + r"\.[0-9a-f]{16}", member))

    for table in ["online", "names", "schedule", "unheard", "events"]:
        whole, expires = kept[f"letterbox:{table}"]
        for number in range(PARTS):
            copied = there.pop(f"letterbox:{table}:{{{number}}}", None)
            its = [member for member in whole if part(user_in(member)) == number]
            if table == "events":
                assert copied == (its and (its, expires) or None)
            else:
                assert copied == (its and ({member: whole[member] for member in its}, expires) or None), (table, number)
    for group, members in [("all", users), ("few", users[:3]), ("by hand", users[:2])]:
        for number in {part(user) for user in members}:
            assert there.pop(f"group:{{{number}}}{group}") == ({user: 0 for user in members if part(user) == number}, False)
    for number in range(PARTS):
        groups = {group: 0 for group, members in [("all", users), ("few", users[:3])] if number in map(part, members)}
        assert there.pop(f"letterbox:groups:{{{number}}}", ({}, False)) == (groups, False)
        assert there.pop(f"letterbox:groups-found:{{{number}}}") == ("1", False)
    assert there == {}, "nothing else was copied"
    assert counts(printed)["unacked"] == len(users) and counts(printed)["group"] == 3
    assert "keys that are none of Letterbox', and stay: 1" in printed and before.get("a key of another program") == "1"


def test_pushes_go_on(new_stack, cluster, clients, users):
    """pushes go on until all has been copied, then they are 503 and waiting clients stay; every accepted one is in the cluster, once and in order"""
    stack, names = new_stack(workers=2), users(8)
    for user in users(300):  # so that there is something to copy meanwhile
        stack.pushed(user, "kept")
    parked = stack.park(names[0], client="waiting", after=stack.pushed(names[0], "0"))
    pusher = clients(Pusher, stack, names[1:])
    readers = [clients(Reader, stack, user) for user in names[1:3]]
    eventually(lambda: pusher.answers and all(reader.got for reader in readers), "all is under way")
    began = time.monotonic()
    move(source(stack), cluster.address)
    eventually(lambda: pusher.answers[-1][1] == 503, "pushes are refused")
    assert is_error(stack.push(names[0], "more"), 503, "store_unavailable")
    assert parked.waits()
    pusher.end()
    assert pusher.accepted_after(began)
    for reader in readers:
        reader.end()
    go_on_over(cluster, stack)
    assert parked.answer()["reason"] == "shutdown"
    for user in names[1:]:
        there = [int(text) for text in data(stack.look(user, client="another", after=0, limit=1000))]
        assert there == sorted(set(there)), user
        read = next((reader.got for reader in readers if reader.user == user), [])  # and acknowledged, but for the last
        assert set(map(int, pusher.accepted[user])) <= {*there, *map(int, read)}, user


def test_afterwards(new_stack, cluster, users):
    """over the cluster Letterbox goes on: messages keep their ids and cursors, tokens, locks, groups, what is for later and what was pushed once hold"""
    stack, names = new_stack(workers=2), users(12)
    token = fill(stack, names)["token"]
    for user in names[2:]:
        stack.pushed(user, "acknowledged")
    before = {user: stack.look(user, client="page", after=0) for user in names[2:]}
    ids = {user: stack.push(user, "once", headers=[("Idempotency-Key", f"{user}-key")]).json["id"] for user in names}
    scheduled = {user: stack.get("/scheduled", user=user).json for user in names}
    move(source(stack), cluster.address)
    go_on_over(cluster, stack)

    for user, answer in before.items():
        again = stack.look(user, client="page", after=0)
        assert (again["messages"], again["cursor"], again["reset"]) == (answer["messages"], answer["cursor"], False)
        assert stack.push(user, "once", headers=[("Idempotency-Key", f"{user}-key")]).json["id"] == ids[user], "it was pushed"
        more = stack.pushed(user, "more")
        assert [message["id"] for message in stack.look(user, client="page", after=answer["cursor"])["messages"]] == [more]
        assert int(more.rpartition("-")[2]) == int(answer["cursor"].rpartition("-")[2]) + 1
    assert {user: stack.get("/scheduled", user=user).json for user in names} == scheduled
    assert stack.request("GET", f"/poll?token={token}&timeout=0").status == 200
    assert stack.get("/poll", user=names[1], timeout=0).status == 403
    assert [one["user"] for one in stack.get("/groups/all").json["members"]] == sorted(names)
    assert stack.get("/groups").json["groups"] == [{"group": "all", "size": len(names)}, {"group": "few", "size": 3}]
    assert stack.push("group:all", "to all").json["accepted"] == len(names)
    assert {one["user"] for one in stack.get("/users").json["users"]} >= set(names[2:])


@pytest.fixture
def programs():
    """A directory in which scripts/service --programs runs Letterbox alone, and what calls it: service(verb, address of Redis)."""
    directory = new_directory()

    def service(verb, address):
        """The command, for a shell."""
        settings = {**environment({"redis": address, "open": 1, "workers": 2, "build": BUILD})}
        variables = [f"{name}={value}" for name, value in settings.items() if name.startswith("LETTERBOX_")]
        return shlex.join(["env", *variables, str(SCRIPTS / "service"), verb, "--programs", "--dir", str(directory)])

    yield directory, service
    subprocess.run(service("stop", "none"), shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
    shutil.rmtree(directory)


def test_moved_by_restart(new_stack, cluster, clients, users, programs):
    """with a restart by --then, pushes are refused until it is done, clients go on, and every accepted push arrives once and in order"""
    stack, names, (directory, service) = new_stack(), users(6), programs
    stack.end("poll")
    assert subprocess.run(service("start", source(stack)), shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60).returncode == 0
    for face in ("poll", "push"):
        stack.socket(face).unlink(missing_ok=True)
        stack.socket(face).symlink_to(directory / "run" / f"{face}.sock")
    readers = [clients(Reader, stack, user) for user in names]
    pusher = clients(Pusher, stack, names)
    eventually(lambda: all(reader.got for reader in readers), "all is under way")
    printed = move("--then", service("restart", cluster.address), source(stack), cluster.address)
    assert re.search(r"writes were refused for [\d.]+ s", printed)
    moved = time.monotonic()
    eventually(lambda: pusher.accepted_after(moved), "pushes go on")
    eventually(pusher.refused_last, "all pushes are accepted")
    refused = [when for when, status in pusher.answers if status == 503]
    print(f"pushes were refused for {refused[-1] - refused[0]:.2f} s")
    pusher.end()
    agree(pusher, readers)


def test_replicas(new_stack, new_cluster, users):
    """when it says that all is in the cluster, the replicas have it, too"""
    stack, cluster, names = new_stack(), new_cluster(), users(50)
    for user in names:
        stack.pushed(user, "kept")
    move(source(stack), cluster.address)
    there = set()
    for replica in cluster.replicas():
        replica.client.execute_command("READONLY")
        there |= set(replica.client.keys("unacked:*"))
    assert there == {in_cluster(f"unacked:{{{user}}}") for user in names}


def test_failed(new_stack, cluster, user):
    """if the copy is not what it should be in the end, it says so, Redis takes writes again, and Letterbox goes on"""
    stack = new_stack()
    stack.pushed(user, "kept")
    ended, client = threading.Event(), cluster.client

    def intrude():
        while not ended.is_set():
            client.rpush(f"mailbox:{{{part('intruder')}}}intruder", "of another program")

    intruder = threading.Thread(target=intrude, daemon=True)
    intruder.start()
    try:
        said = move("--overwrite", source(stack), cluster.address, status=1)
    finally:
        ended.set()
        intruder.join()
    assert "is not in FROM" in said and "FROM takes writes" in said
    assert not refuses(stack)
    assert is_accepted(stack.push(user, "more"))


def test_interrupted(new_stack, cluster, user, tmp_path):
    """if it is told to end while writes are refused, Redis takes writes again"""
    stack = new_stack()
    stack.pushed(user, "kept")
    stack.redis.config_set("min-replicas-max-lag", 7)
    pipeline = stack.redis.pipeline()
    for number in range(5000):  # so that it takes a moment
        pipeline.rpush(f"unacked:{{of{number}}}", "0 {}")
    pipeline.execute()
    command = [SCRIPTS / "move-mailboxes", "--overwrite", source(stack), cluster.address]
    held = cluster.nodes[0]

    def interrupted():
        """The status; None if it was done before it could be interrupted."""
        stack.redis.config_set("min-replicas-to-write", 0)  # an earlier try has moved all
        with Background(command, environment(), tmp_path) as running:
            eventually(lambda: running.process.poll() is not None or refuses(stack), "writes are refused", deadline=60)
            held.send(signal.SIGSTOP)  # for this node it waits
            running.process.terminate()
            held.send(signal.SIGCONT)
            return running.process.wait(60) or None

    assert eventually(interrupted, "it is interrupted", deadline=120) == 1
    assert not refuses(stack) and stack.redis.config_get("min-replicas-max-lag") == {"min-replicas-max-lag": "7"}
    assert is_accepted(stack.push(user, "more"))


def test_again(new_stack, cluster, users):
    """a cluster that has keys of Letterbox is refused; with --overwrite they are replaced, and those that the one Redis does not have are removed"""
    stack, names = new_stack(), users(5)
    for user in names:
        stack.pushed(user, "kept")
    printed = move("--copy-only", source(stack), cluster.address)
    assert counts(printed)["unacked"] == len(names)
    assert is_accepted(stack.push(names[0], "more")), "it takes writes after --copy-only"
    assert stack.request("DELETE", f"/users/{names[1]}").status == 200
    assert "--overwrite" in move(source(stack), cluster.address, status=1)
    move("--overwrite", source(stack), cluster.address)
    there = {key for key in cluster.client.scan_iter() if key.startswith("unacked:")}
    assert there == {in_cluster(f"unacked:{{{user}}}") for user in names if user != names[1]}
    assert cluster.client.llen(in_cluster(f"unacked:{{{names[0]}}}")) == 2
    move("--overwrite", source(stack), cluster.address)
    assert refuses(stack)


def test_then(new_stack, cluster, user):
    """--then is run while writes are refused; if it fails, they stay refused, and how to change that is said"""
    stack = new_stack()
    stack.pushed(user, "kept")
    socket = stack.socket("redis")
    printed = move("--then", f"redis-cli -s {socket} set key value", source(stack), cluster.address)
    assert "NOREPLICAS" in printed and re.search(r"writes were refused for [\d.]+ s", printed)
    said = move("--overwrite", "--then", "false", source(stack), cluster.address, status=1)
    assert "CONFIG SET min-replicas-to-write 0" in said and "FROM takes writes" not in said
    assert refuses(stack)


def test_prefix_and_passwords(new_stack, new_cluster, user, tmp_path):
    """it takes the prefix of the keys, and users and passwords by file, for both sides; nothing of another prefix is copied"""
    cluster = new_cluster(masters=3, replicas=0)
    stack = new_stack()
    stack.redis.acl_setuser("mover", enabled=True, passwords=["+from"], commands=["+@all"], keys=["*"], channels=["*"])
    for node in cluster.nodes:
        node.client.acl_setuser("mover", enabled=True, passwords=["+to"], commands=["+@all"], keys=["*"], channels=["*"])
    client = one(stack)
    client.rpush(f"shop:unacked:{{{user}}}", "0 {}")
    client.rpush(f"unacked:{{{user}}}", "0 {}")
    client.zadd("shop:letterbox:online", {user: 5})
    files = {name: tmp_path / name for name in ("from", "to")}
    for name, file in files.items():
        file.write_text(f"{name}\n")
    ends = ["--redis-prefix", "shop:", "--redis-user", "mover", "--redis-password-file", files["from"], "--to-user", "mover", "--to-password-file", files["to"]]
    move(*ends, source(stack), cluster.address)
    assert set(cluster.client.scan_iter()) == {f"shop:unacked:{{{part(user)}}}{user}", f"shop:letterbox:online:{{{part(user)}}}"}
    files["to"].write_text("wrong\n")
    assert "WRONGPASS" in move(*ends, source(stack), cluster.address, status=1)


def test_from_sentinel(new_group, cluster, user):
    """it finds the master that sentinels know of, and refuses a replica"""
    group = new_group()
    master, replica = group.servers
    master.client.rpush(f"unacked:{{{user}}}", "0 {}")
    eventually(lambda: replica.client.exists(f"unacked:{{{user}}}"), "the replica has it")
    assert "is a replica" in move(f"127.0.0.1:{replica.port}", cluster.address, status=1)
    assert counts(move(group.address, cluster.address)) == {"unacked": 1}
    assert cluster.client.exists(in_cluster(f"unacked:{{{user}}}"))


def test_older_redis(cluster, user):
    """a Redis that does not say when a key expires, as before version 7, but how long it lives, is copied with the same expiries; one that lets
    nobody refuse writes is not copied"""
    server = Server(cluster.directory, spare_port(), "--save", "", "--rename-command", "PEXPIRETIME", "").start()
    locked = Server(cluster.directory, spare_port(), "--save", "", "--rename-command", "CONFIG", "").start()
    try:
        server.client.set(f"base:{{{user}}}", "1795287660456 0 1795287660456", px=600_000)
        server.client.set(f"tokens:{{{user}}}", "for ever")
        server.client.zadd("letterbox:online", {user: 5})
        server.client.pexpire("letterbox:online", 300_000)
        move(f"127.0.0.1:{server.port}", cluster.address)
        lives = {key: cluster.client.pttl(key) for key in cluster.client.scan_iter()}
        for key, most in [(in_cluster(f"base:{{{user}}}"), 600_000), (f"letterbox:online:{{{part(user)}}}", 300_000)]:
            assert most - 60_000 < lives.pop(key) <= most
        assert lives == {in_cluster(f"tokens:{{{user}}}"): -1}
        assert "CONFIG GET" in move("--overwrite", f"127.0.0.1:{locked.port}", cluster.address, status=1)
        assert len(list(cluster.client.scan_iter())) == 3
    finally:
        server.kill()
        locked.kill()


def test_slots_on_their_way(new_stack, cluster, users):
    """the copy is right while slots are on their way from one master to another"""
    stack, names = new_stack(), users(100)
    for user in names:
        stack.pushed(user, "kept")
    first, second, _ = cluster.masters()
    moving = {slot(user) for user in names} & cluster.slots(first)
    for number in moving:
        cluster.begin_move(number, first, second)
    assert counts(move(source(stack), cluster.address))["unacked"] == len(names)
    assert not any(first.client.execute_command("CLUSTER COUNTKEYSINSLOT", number) for number in moving), "they are with the new master"
    for number in moving:
        cluster.end_move(number, first, second)
    assert all(cluster.client.llen(in_cluster(f"unacked:{{{user}}}")) == 1 for user in names)


def test_slots_that_have_moved(cluster, user):
    """a command for a slot that has moved since goes to its new master, and one for a master that was killed to the node that takes its place"""
    client = Cluster([f"127.0.0.1:{cluster.nodes[0].port}"])
    key, number = f"mailbox:{{{part(user)}}}{user}", slot(user)
    assert client.batch([(number, ("RPUSH", key, "one"))]) == [1]
    old = cluster.master_of(user)
    new = next(node for node in cluster.masters() if node is not old)
    cluster.begin_move(number, old, new)
    cluster.end_move(number, old, new)
    assert client.batch([(number, ("RPUSH", key, "two"))]) == [2]
    assert new.client.lrange(key, 0, -1) == ["one", "two"]
    heir = cluster.add_node(new)
    cluster.kill(new)
    assert client.batch([(number, ("LRANGE", key, 0, -1)), (number, ("RPUSH", key, "three"))]) == [[b"one", b"two"], 3]
    assert cluster.role(heir) == "master"


@pytest.mark.parametrize("arguments", [[], ["127.0.0.1:1"], ["a", "b"], ["127.0.0.1:1", "127.0.0.1:0"], ["--nonsense", "127.0.0.1:1", "127.0.0.1:2"],
                                       ["--redis-password-file", "/not/there", "127.0.0.1:1", "127.0.0.1:2"]], ids=" ".join)
def test_bad_usage(arguments):
    """wrong arguments are refused with a clear message and status 2"""
    said = move(*arguments, status=2)
    assert re.fullmatch(r"scripts/move-mailboxes: .+; see scripts/move-mailboxes --help\n", said)


def test_wrong_ends(new_stack, cluster):
    """a cluster that is none, a Redis that is one, and one that is not there are told apart"""
    stack = new_stack()
    node = f"127.0.0.1:{cluster.nodes[0].port}"
    assert "is a node of a cluster" in move(node, cluster.address, status=1)
    assert "cluster" in move(source(stack), "127.0.0.1:1", status=1)
    assert move("unix:/not/there", cluster.address, status=1).startswith("scripts/move-mailboxes: unix:/not/there: No such file")
