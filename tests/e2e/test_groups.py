# SPDX-License-Identifier: MIT
"""Groups: who belongs to one is managed over HTTP, and a push to it reaches each member once."""

import itertools
import json
import time

import pytest

from expect import data, is_accepted, is_error

numbers = itertools.count(1)


@pytest.fixture
def group():
    """A group no other test knows."""
    return f"group{next(numbers)}"


def changed(stack, method, *parts):
    answer = stack.request(method, "/groups/" + "/".join(parts))
    assert answer.status == 200, answer
    return answer.json


def join(stack, group, *names):
    for name in names:
        assert changed(stack, "PUT", group, name)["added"] is True


def members(stack, group, **query):
    answer = stack.get(f"/groups/{group}", **query)
    assert answer.status == 200, answer
    return answer.json


def test_pages_with_foreign_members(stack, group):
    """pages go through all of a group, also where somebody has put names into it that no user can have"""
    names = sorted([b"alice", b"a b", b"\xff\xfe", "Jürgen".encode(), b"=x", b"bob", b"zoe"])
    stack.redis.zadd(f"group:{{{group}}}", {name: 0 for name in names})
    for limit in (1, 2, 3):
        seen, after = [], None
        for _ in names:
            page = members(stack, group, limit=limit, after=after)
            seen += [member["user"] for member in page["members"]]
            after = page["next"]
            if after is None:
                break
        assert seen == [name.decode(errors="replace") for name in names]


def test_members(stack, group):
    """members are added and removed, and each answer says whether it changed anything"""
    assert changed(stack, "PUT", group, "bob") == {"group": group, "user": "bob", "added": True}
    assert changed(stack, "PUT", group, "bob") == {"group": group, "user": "bob", "added": False}
    join(stack, group, "alice")
    assert members(stack, group) == {"group": group, "size": 2, "next": None, "members": [
        {"user": "alice", "online": False}, {"user": "bob", "online": False}]}
    assert changed(stack, "DELETE", group, "bob") == {"group": group, "user": "bob", "removed": True}
    assert changed(stack, "DELETE", group, "bob") == {"group": group, "user": "bob", "removed": False}
    assert changed(stack, "DELETE", group) == {"group": group, "removed": True}
    assert changed(stack, "DELETE", group) == {"group": group, "removed": False}
    assert members(stack, group) == {"group": group, "size": 0, "next": None, "members": []}


def test_pages(stack, group, users):
    """a group is shown page by page, in the order of names, none left out and none twice"""
    names = sorted(users(25))
    join(stack, group, *names)
    shown, after = [], None
    while True:
        page = members(stack, group, limit=10, after=after)
        assert page["size"] == 25 and len(page["members"]) <= 10
        shown += [member["user"] for member in page["members"]]
        after = page["next"]
        if after is None:
            break
        assert after == shown[-1]
    assert shown == names


def test_online_members(stack, group, users):
    """of each member it is shown whether it is online"""
    here, gone, never = sorted(users(3))
    join(stack, group, here, gone, never)
    now = time.time() * 1000
    stack.redis.zadd("letterbox:online", {here: now + 60_000, gone: now - 1})
    try:
        assert [member["online"] for member in members(stack, group)["members"]] == [True, False, False]
    finally:
        stack.redis.zrem("letterbox:online", here, gone)


def test_names(stack, group):
    """names of members are those of users, however they are escaped in the path"""
    for path, name in (("a%40b.c", "a@b.c"), ("a+b", "a+b"), ("a%2Bb:1", "a+b:1"), ("x" * 128, "x" * 128)):
        assert changed(stack, "PUT", group, path)["user"] == name
    longest = "g" * 64
    join(stack, longest, "alice")
    assert changed(stack, "DELETE", longest)["removed"] is True


@pytest.mark.parametrize("path, code", [
    ("a%20b/alice", "bad_group"), ("g" * 65 + "/alice", "bad_group"), ("*/alice", "bad_group"), ("%C3%A9/alice", "bad_group"),
    ("team/a%20b", "bad_user"), ("team/" + "u" * 129, "bad_user"), ("team/*", "bad_user"), ("team/group:x", "bad_user"),
    ("team/%0A", "bad_user")])
def test_bad_names(stack, path, code):
    """a name that none can be is refused"""
    assert is_error(stack.request("PUT", f"/groups/{path}"), 400, code)
    assert is_error(stack.request("DELETE", f"/groups/{path}"), 400, code)


def test_bad_paths(stack, group):
    """a path that is no route is 404, a method that it does not take 405"""
    for path in ("/groups", "/groups/", f"/groups/{group}/alice/x", f"/groups/{group}/a%2Fb/x"):
        assert is_error(stack.get(path), 404, "unknown_route")
    answer = stack.request("PUT", f"/groups/{group}")
    assert is_error(answer, 405, "wrong_method") and answer.header("Allow") == "GET, HEAD, DELETE"
    answer = stack.get(f"/groups/{group}/alice")
    assert is_error(answer, 405, "wrong_method") and answer.header("Allow") == "PUT, DELETE"
    for query, code in (({"limit": 0}, "bad_limit"), ({"limit": "x"}, "bad_limit"), ({"limit": 1001}, "bad_limit"),
                        ({"after": "a b"}, "bad_user"), ({"after": ["a", "b"]}, "repeated_parameter")):
        assert is_error(stack.get(f"/groups/{group}", **query), 400, code)


def test_group_max(new_stack):
    """beyond --group-max a group takes nobody, until somebody leaves"""
    stack = new_stack(group_max=2)
    join(stack, "team", "alice", "bob")
    assert is_error(stack.request("PUT", "/groups/team/carol"), 409, "group_full")
    assert changed(stack, "PUT", "team", "bob")["added"] is False
    changed(stack, "DELETE", "team", "bob")
    join(stack, "team", "carol")


def test_push(stack, group, users):
    """a push to a group reaches each member, who waits or is away, and the answer sums up"""
    waiting, away, other = users(3)
    join(stack, group, waiting, away)
    parked = stack.park(waiting)
    answer = stack.push(f"group:{group}", "hello")
    assert answer.status == 202
    assert {name: answer.json[name] for name in ("count", "accepted", "waiting", "failed")} == {
        "count": 2, "accepted": 2, "waiting": 1, "failed": 0}
    results = {result["to"]: result for result in answer.json["results"]}
    got = parked.answer()
    assert data(got) == ["hello"] and got["messages"][0]["id"] == results[waiting]["id"]
    assert data(stack.look(away, after=0)) == ["hello"]
    assert stack.look(other, after=0)["count"] == 0


def test_mixed(stack, group, users):
    """groups and names may be mixed, in the query and in envelopes, and who is meant twice gets it once"""
    both, first, second, plain = users(4)
    join(stack, group + "a", both, first)
    join(stack, group + "b", both, second)
    to = [f"group:{group}a,{plain}", f"group:{group}b", plain, f"group:{group}a"]
    assert stack.push(to, "one").json["count"] == 4
    envelope = {"to": [plain, f"group:{group}b", both, f"group:{group}a"], "data": "two", "type": "chat"}
    assert stack.push_json(json.dumps(envelope)).json["count"] == 4
    for name in (both, first, second, plain):
        assert data(stack.look(name, after=0)) == ["one", "two"]


def test_batch(stack, group, users):
    """each envelope of a batch may have groups of its own"""
    first, second = users(2)
    join(stack, group, first, second)
    answer = stack.push_json(json.dumps([{"to": f"group:{group}", "data": 1}, {"to": second, "data": 2}]))
    assert (answer.status, answer.json["count"], answer.json["failed"]) == (202, 3, 0)
    assert data(stack.look(first, after=0)) == [1] and data(stack.look(second, after=0)) == [1, 2]


def test_empty_group(stack, group):
    """a group without members is a success that reaches nobody"""
    answer = stack.push(f"group:{group}", "hello")
    assert answer.status == 202
    assert answer.json == {"count": 0, "accepted": 0, "waiting": 0, "failed": 0, "results": []}


def test_left(stack, group, users):
    """who has left a group hears no more of it, and keeps what came before"""
    name, = users(1)
    join(stack, group, name)
    stack.push(f"group:{group}", "before")
    changed(stack, "DELETE", group, name)
    stack.push(f"group:{group}", "after")
    assert data(stack.look(name, after=0)) == ["before"]


def test_bad_group(stack, group, users):
    """a group that none can be is refused alone, and fails by itself among others"""
    name, = users(1)
    assert is_error(stack.push("group:a b", "x"), 400, "bad_group")
    assert is_error(stack.push("group:", "x"), 400, "bad_group")
    join(stack, group, name)
    answer = stack.push([f"group:{group}", "group:a b"], "hello")
    assert (answer.status, answer.json["accepted"], answer.json["failed"]) == (400, 1, 1)
    assert answer.json["results"][1]["error"]["code"] == "bad_group"
    assert data(stack.look(name, after=0)) == ["hello"]


def test_not_a_group(stack, group, users):
    """a key that is no group makes 503 of what needs it, and harms nothing else"""
    name, = users(1)
    stack.redis.set(f"group:{{{group}}}", "no group")
    try:
        assert is_error(stack.push([name, f"group:{group}"], "x"), 503, "store_unavailable")
        assert is_error(stack.get(f"/groups/{group}"), 503, "store_unavailable")
        assert is_error(stack.request("PUT", f"/groups/{group}/{name}"), 503, "store_unavailable")
        assert is_accepted(stack.push(name, "y"))
        assert data(stack.look(name, after=0)) == ["y"]
    finally:
        stack.redis.delete(f"group:{{{group}}}")
