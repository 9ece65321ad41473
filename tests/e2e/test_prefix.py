# SPDX-License-Identifier: MIT
"""--redis-prefix: two Letterboxes share one Redis, and nothing of one reaches the other."""

import shutil

import pytest

from expect import data, is_accepted, is_error
from ports import spare_port
from redis_group import Server
from stack import new_directory
from test_programs import PROGRAMS, is_refusal, run
from test_tokens import bearer, issued, post
from waits import eventually

PREFIXES = ("one:", "other.")
PASSWORD = "secret"


class Sites:
    """Two Letterboxes, each of which may use the keys of its prefix alone: its user in Redis has what --acl prints for that prefix."""

    def __init__(self, new_stack, apart):
        self.directory = new_directory()
        self.redis = Server(self.directory, spare_port()).start()
        password = self.directory / "password"
        password.write_text(PASSWORD)
        self.stacks = []
        for number, prefix in enumerate(PREFIXES):
            status, line, _ = run("poll", "--acl", "--redis-user", f"site{number}", redis_prefix=prefix)
            assert status == 0
            self.redis.client.execute_command(line.strip().replace("PASSWORD", PASSWORD))
            stack = new_stack(apart=apart)
            for part in stack.programs:
                own = {"open": 1} if part == "poll" else {}
                stack.replace(part, "--redis", f"127.0.0.1:{self.redis.port}", "--redis-user", f"site{number}", "--redis-password-file", password,
                              "--redis-prefix", prefix, events_to="watcher", **own)
            self.stacks.append(stack)

    def keys(self):
        return list(self.redis.client.scan_iter(count=1000))

    def denied(self):
        return self.redis.client.execute_command("ACL LOG")

    def end(self):
        self.redis.kill()
        shutil.rmtree(self.directory)


@pytest.fixture(params=[0, 1], ids=["one program", "two programs"])
def sites(request, new_stack):
    sites = Sites(new_stack, request.param)
    yield sites
    sites.end()


def test_two_sites(sites):
    """users, groups, tokens, kicks, presence and events of one Letterbox are unknown to another with its own prefix in the same Redis"""
    one, other = sites.stacks
    waits = [stack.park("alice", after=0) for stack in sites.stacks]
    assert one.push("alice", "to the first").status == 201
    assert data(waits[0].answer()) == ["to the first"]
    assert other.push("alice", "to the second").status == 201
    assert data(waits[1].answer()) == ["to the second"]
    for stack, text in ((one, "to the first"), (other, "to the second")):
        assert data(stack.look("alice", client="late", after=0)) == [text]

    # What is pushed by hand reaches the mailbox whose list it was put into.
    waits = [stack.park("hand", after=0) for stack in sites.stacks]
    sites.redis.client.rpush(f"{PREFIXES[1]}mailbox:{{hand}}", "by hand")
    assert data(waits[1].answer()) == ["by hand"]
    assert one.mailbox("hand")["queued"] == 0 and waits[0].waits()
    waits[0].leave()

    assert one.request("PUT", "/groups/team/bob").json["added"] is True
    assert other.get("/groups/team").json["size"] == 0
    assert one.push("group:team", "to the team").json["accepted"] == 1
    assert other.push("group:team", "to nobody").json["accepted"] == 0
    assert data(one.look("bob", after=0)) == ["to the team"] and data(other.look("bob", after=0)) == []

    token = issued(one, "carol")["token"]
    assert one.get("/poll", bearer(token), timeout=0, after=0).status == 200
    assert is_error(other.get("/poll", bearer(token), timeout=0, after=0), 401, "bad_token")

    waits = [stack.park("dave", after=0) for stack in sites.stacks]
    assert post(one, "/users/kick", user="dave").json == {"kicked": True}
    assert waits[0].answer()["reason"] == "kicked"
    assert is_error(one.get("/poll", user="dave", timeout=0), 403, "kicked")
    assert waits[1].waits() and other.get("/poll", user="dave", client="b", timeout=0).status == 200
    waits[1].leave()

    one.look("erin", after=0)
    eventually(lambda: one.get("/users", user="erin").json["online"], "erin is online")
    assert not other.get("/users", user="erin").json["online"]

    def told():
        return {message["data"]["user"] for message in one.look("watcher", after=0)["messages"]}
    eventually(lambda: {"alice", "erin"} <= told(), "who comes online is told")
    assert "erin" not in {message["data"]["user"] for message in other.look("watcher", after=0)["messages"]}
    assert one.push("*", "to all").json["accepted"] > other.push("*", "to all").json["accepted"] > 0

    for stack in sites.stacks:
        assert stack.get("/readyz").status == 200 and stack.get("/readyz/poll").status == 200
    assert sites.denied() == []
    keys = sites.keys()
    for prefix in PREFIXES:
        assert any(key.startswith(f"{prefix}unacked:{{") for key in keys) and f"{prefix}letterbox:reign" in keys
    assert [key for key in keys if not key.startswith(PREFIXES)] == []


def test_faults_name_the_key(sites):
    """an error names the key that is wrong with its prefix, and the Letterbox beside it does not notice"""
    one, other = sites.stacks
    sites.redis.client.set(f"{PREFIXES[0]}mailbox:{{alice}}", "no list")
    answer = one.push("alice", "hello")
    assert is_error(answer, 409, "broken_data") and f"{PREFIXES[0]}mailbox:{{alice}}" in answer.json["error"]["message"]
    assert is_accepted(other.push("alice", "hello"))
    sites.redis.client.set(f"{PREFIXES[0]}letterbox:reign", "no time")
    answer = one.push("bob", "hello")
    assert is_error(answer, 503, "store_unavailable") and f"{PREFIXES[0]}letterbox:reign" in answer.json["error"]["message"]
    assert is_accepted(other.push("bob", "hello"))


def test_rights_of_one_site(sites):
    """a Redis user with what --acl prints for one prefix passes --check with that prefix, and with no other"""
    access = ("--redis", f"127.0.0.1:{sites.redis.port}", "--redis-user", "site0", "--redis-password-file", sites.directory / "password")

    def errors(*arguments):
        status, out, _ = run("push", "--check", *access, *arguments)
        found = [line for line in out.splitlines() if line.startswith("error: ")]
        assert bool(found) == (status == 1)
        return found

    assert errors("--redis-prefix", PREFIXES[0]) == []
    for arguments, pattern in (((), " mailbox:*"), (("--redis-prefix", PREFIXES[1]), f" {PREFIXES[1]}mailbox:*")):
        [error] = errors(*arguments)
        assert pattern in error and "--acl" in error


@PROGRAMS
@pytest.mark.parametrize("prefix", ["a b", "a{b", "a}", "a*", "a/b", "ä", "x" * 65])
def test_bad_prefix(program, prefix):
    """a prefix that is too long, or has a character that no name has, stops the start"""
    assert is_refusal(run(program, "--redis-prefix", prefix), "--redis-prefix")
    assert is_refusal(run(program, "--acl", redis_prefix=prefix), "--redis-prefix")


@PROGRAMS
def test_longest_prefix(program):
    """a prefix may have 64 characters, and each pattern of --acl begins with it"""
    prefix = "A-z.0_9@:+".ljust(64, "x")
    status, line, _ = run(program, "--acl", "--redis-prefix", prefix)
    patterns = [word[1:] for word in line.split() if word.startswith("~")]
    assert status == 0 and len(patterns) > 5 and all(pattern.startswith(prefix) for pattern in patterns)
